// SPDX-License-Identifier: Apache-2.0
#include "python/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/units.h"
#include "python/dict.h"
#include "python/references.h"
#include "python/repr.h"
#include "python/type_dicts.h"

namespace cowtrace::python {
namespace {

constexpr std::uint64_t kMostEntries =
    std::uint64_t{1} << 24;                   // of a dict or of another object that is gone through
constexpr std::uint64_t kMostClasses = 1000;  // of an MRO

// A word that refers to an object.
struct Slot {
  std::uint64_t place = 0, target = 0;
};

// True == 1 and False == 0, as keys too.
std::string_view as_key(std::string_view repr) {
  return repr == "True" ? "1" : repr == "False" ? "0" : repr;
}

// Takes from what an object refers to the one with the wanted name or index, and the dicts that may
// have it.
class Wanted {
 public:
  Wanted(const TypeTable& types, const Type& type, const Expression::Step& step, std::int64_t index)
      : types_(types), type_(type), step_(step), index_(index) {}

  void refer(Edge edge, std::uint32_t slot, std::uint64_t target, std::uint64_t place) {
    ++looked_at_;
    if (target == 0 || found) return;
    if (is_wanted(edge, slot)) {
      found = {place, target};
      return;
    }
    const bool is_dict = edge == Edge::InstanceDict || edge == Edge::ModuleDict ||
                         edge == Edge::TypeDict ||
                         (edge == Edge::Field && slot == static_cast<std::uint32_t>(FieldId::Dict));
    if (is_dict) dict = {place, target};
  }
  bool table(Table, std::uint64_t, std::uint64_t) { return true; }
  [[nodiscard]] bool wants_more() const { return !found && looked_at_ < kMostEntries; }

  std::optional<Slot> found;
  std::optional<Slot> dict;

 private:
  [[nodiscard]] bool is_wanted(Edge edge, std::uint32_t slot) const {
    if (step_.subscript) return edge == Edge::Item && slot == static_cast<std::uint64_t>(index_);
    switch (edge) {
      case Edge::Field:
        return kFields[slot].python && kFields[slot].name == step_.key;
      case Edge::Closure:
        return step_.key == "cell_contents";
      case Edge::Member:
        return std::any_of(type_.members.begin(), type_.members.end(),
                           [&](const Type::Member& member) {
                             return member.offset == slot && member.name == step_.key;
                           });
      case Edge::InlineValue: {
        const auto keys = read_key_table(types_.image(), types_.layout(), type_.cached_keys);
        return keys && text_at(types_, types_.image().word(keys->entry(slot) + keys->key_at),
                               step_.key.size() + 1) == step_.key;
      }
      default:
        return false;
    }
  }

  const TypeTable& types_;
  const Type& type_;
  const Expression::Step& step_;
  std::int64_t index_;
  std::uint64_t looked_at_ = 0;
};

class Evaluator {
 public:
  Evaluator(const TypeTable& types, const Runtime& runtime)
      : types_(types), image_(types.image()), layout_(types.layout()), runtime_(runtime) {}

  Evaluation run(const Expression& expression) {
    read_ = expression.root;
    auto at = root(expression.root);
    for (const Expression::Step& step : expression.steps) {
      if (!at || !look_at(at->target)) break;
      at = step.subscript ? subscript(at->target, step) : attribute(at->target, step);
      if (at)
        read_ += step.subscript ? fmt::format("[{}]", step.key) : fmt::format(".{}", step.key);
    }
    if (at && look_at(at->target)) finish(*at);
    std::sort(result_.pages.begin(), result_.pages.end());
    result_.pages.erase(std::unique(result_.pages.begin(), result_.pages.end()),
                        result_.pages.end());
    return std::move(result_);
  }

  [[nodiscard]] std::optional<Slot> in_dict(std::uint64_t dict, const Expression::Step& key) {
    rely_on(dict);
    const auto read = read_dict(image_, layout_, dict);
    if (!read) return std::nullopt;
    rely_on(read->keys.address);
    for (std::uint64_t i = 0; i < read->keys.used && i < kMostEntries; ++i) {
      const Entry entry = read_entry(image_, *read, i);
      if (entry.key == 0 || entry.value == 0 || !equals(entry.key, key)) continue;
      rely_on(value_place(*read, i));
      return Slot{value_place(*read, i), entry.value};
    }
    return std::nullopt;
  }

 private:
  void rely_on(std::uint64_t address) { result_.pages.push_back(page_of(address)); }

  std::nullopt_t missing(std::string why) {
    result_.outcome = Evaluation::Outcome::Missing;
    result_.why = std::move(why);
    return std::nullopt;
  }
  std::nullopt_t unknown(std::string why) {
    result_.outcome = Evaluation::Outcome::Unknown;
    result_.why = std::move(why);
    return std::nullopt;
  }

  // What is referred to must be an object, or nothing can be said of it.
  bool look_at(std::uint64_t object) {
    if (types_.type_of(object) != nullptr) return true;
    unknown(fmt::format("{} cannot be read: its memory is not resident, or is no object", read_));
    return false;
  }

  [[nodiscard]] bool equals(std::uint64_t object, const Expression::Step& key) const {
    if (key.text) return text_at(types_, object, key.text->size() + 1) == *key.text;
    const auto repr = repr_at(types_, object);
    return repr && as_key(*repr) == as_key(key.key);
  }

  static Expression::Step name(std::string_view text) {
    return {false, std::string(text), std::string(text), std::nullopt};
  }

  // A module, something of `__main__`, or a builtin.
  std::optional<Slot> root(const std::string& text) {
    const std::uint64_t modules =
        image_.word(runtime_.interpreter + static_cast<std::uint64_t>(layout_.interpreter.modules));
    if (modules == 0) return unknown("the interpreter has no modules any more");
    place_ = fmt::format("entry '{}' of sys.modules", text);
    if (const auto found = in_dict(modules, name(text))) return found;
    if (const auto main = in_dict(modules, name("__main__"))) {
      const Type* type = types_.type_of(main->target);
      place_ = fmt::format("attribute '{}' of __main__", text);
      if (type != nullptr && type->kind == Kind::Module)
        if (const auto found =
                in_dict(image_.word(main->target + static_cast<std::uint64_t>(layout_.module.dict)),
                        name(text)))
          return found;
    }
    place_ = fmt::format("attribute '{}' of builtins", text);
    if (layout_.interpreter.builtins != kAbsent)
      if (const auto found =
              in_dict(image_.word(runtime_.interpreter +
                                  static_cast<std::uint64_t>(layout_.interpreter.builtins)),
                      name(text)))
        return found;
    return missing(
        fmt::format("there is no module and nothing in __main__ that is called {}", text));
  }

  std::optional<Slot> subscript(std::uint64_t object, const Expression::Step& step) {
    const Type& type = *types_.type_of(object);
    rely_on(object);
    place_ =
        fmt::format("{} {} of {}", type.kind == Kind::Dict ? "entry" : "item", step.key, read_);
    if (type.kind == Kind::Dict) {
      const auto found = in_dict(object, step);
      return found ? found : missing(fmt::format("{} has no key {}", read_, step.key));
    }
    if (type.kind != Kind::List && type.kind != Kind::Tuple && type.kind != Kind::Deque)
      return unknown(
          fmt::format("{} is a {}, whose items only its own code can tell", read_, type.name));
    if (!step.index)
      return missing(fmt::format("{} is a {}: its subscripts are ints", read_, type.name));
    const auto size = static_cast<std::int64_t>(
        image_.word(object + static_cast<std::uint64_t>(layout_.object.var_size)));
    if (size < 0) return unknown(fmt::format("the items of {} cannot be read", read_));
    const std::int64_t index = *step.index < 0 ? *step.index + size : *step.index;
    if (index < 0 || index >= size || index > INT32_MAX)
      return missing(fmt::format("{} has {} items", read_, size));
    const auto found = item(object, type, step, index);
    if (!found) return unknown(fmt::format("the items of {} cannot be read", read_));
    rely_on(found->place);
    return found;
  }

  // Of a deque, the blocks before are gone through.
  std::optional<Slot> item(std::uint64_t object, const Type& type, const Expression::Step& step,
                           std::int64_t index) {
    if (type.kind == Kind::Deque) {
      Wanted wanted(types_, type, step, index);
      References(types_).visit(object, type, wanted);
      return wanted.found;
    }
    const std::uint64_t first =
        type.kind == Kind::List
            ? image_.word(object + static_cast<std::uint64_t>(layout_.list.items))
            : object + static_cast<std::uint64_t>(layout_.tuple.items);
    const std::uint64_t place = first + static_cast<std::uint64_t>(index) * 8;
    const std::uint64_t target = image_.word(place);
    return target != 0 ? std::optional(Slot{place, target}) : std::nullopt;
  }

  std::optional<Slot> attribute(std::uint64_t object, const Expression::Step& step) {
    const Type& type = *types_.type_of(object);
    rely_on(object);
    place_ = fmt::format("attribute '{}' of {}", step.key, read_);
    if (step.key == "__class__")
      return Slot{object + static_cast<std::uint64_t>(layout_.object.type), type.address};
    Wanted wanted(types_, type, step, 0);
    References(types_).visit(object, type, wanted);
    if (type.kind == Kind::Type) wanted.dict = {0, dict_of_type(types_, runtime_, object)};
    if (wanted.found) {
      rely_on(wanted.found->place);
      return wanted.found;
    }
    if (wanted.dict && step.key == "__dict__") return wanted.dict;
    Expression::Step key = step;
    key.text = step.key;
    if (wanted.dict)
      if (const auto found = in_dict(wanted.dict->target, key)) return found;
    return in_classes(type.kind == Kind::Type ? object : type.address, type.kind == Kind::Type,
                      key);
  }

  // What a class has, its instances have, but for what its code would compute.
  std::optional<Slot> in_classes(std::uint64_t of, bool of_class, const Expression::Step& key) {
    const std::uint64_t mro = image_.word(of + static_cast<std::uint64_t>(layout_.type.mro));
    const std::uint64_t count =
        image_.word(mro + static_cast<std::uint64_t>(layout_.object.var_size));
    for (std::uint64_t i = 0; mro != 0 && i < count && i < kMostClasses; ++i) {
      const std::uint64_t one =
          image_.word(mro + static_cast<std::uint64_t>(layout_.tuple.items) + i * 8);
      if (types_.find(one) == nullptr) continue;
      const auto found = in_dict(dict_of_type(types_, runtime_, one), key);
      if (!found) continue;
      const Type* type = types_.type_of(found->target);
      if (!of_class && type != nullptr && is_computed(type->name))
        return unknown(
            fmt::format("{}.{} is a {}, which only code can compute", read_, key.key, type->name));
      return found;
    }
    return missing(fmt::format("{} has no attribute {}", read_, key.key));
  }

  static bool is_computed(std::string_view type) {
    return type == "property" || type == "getset_descriptor" || type == "member_descriptor" ||
           type == "functools.cached_property";
  }

  void finish(const Slot& slot) {
    const Type& type = *types_.type_of(slot.target);
    result_.outcome = Evaluation::Outcome::Found;
    result_.object = slot.target;
    result_.start = slot.target - type.before;
    result_.end = slot.target + std::max<std::uint64_t>(types_.size_of(slot.target, type), 16);
    result_.type = type.name;
    result_.slot = slot.place;
    result_.place = place_;
    rely_on(slot.place);
  }

  const TypeTable& types_;
  const image::MemoryImage& image_;
  const Layout& layout_;
  const Runtime& runtime_;
  Evaluation result_;
  std::string read_;   // the part of the expression that has been followed
  std::string place_;  // of the last slot
};

}  // namespace

Evaluation evaluate(const TypeTable& types, const Runtime& runtime, const Expression& expression) {
  return Evaluator(types, runtime).run(expression);
}

bool is_finalizing(const TypeTable& types, const Runtime& runtime) {
  const image::MemoryImage& image = types.image();
  if (image.word(runtime.interpreter +
                 static_cast<std::uint64_t>(types.layout().interpreter.modules)) == 0)
    return true;
  const auto found = find_text_key(types, runtime.sysdict, "meta_path");
  const Type* type = found ? types.type_of(*found) : nullptr;
  return type == nullptr || type->kind == Kind::None;
}

}  // namespace cowtrace::python
