// SPDX-License-Identifier: Apache-2.0
#include "python/names.h"

#include <fmt/format.h>

#include "base/units.h"
#include "python/repr.h"
#include "python/type_dicts.h"

namespace cowtrace::python {
namespace {

constexpr int kDeepest = 48;  // steps of a name
constexpr std::size_t kLongestText = 400;
constexpr std::uint64_t kLarge =
    64;  // items of a container that are no longer told apart in groups
constexpr std::uint32_t kMostLocals = 65'536;
constexpr std::uint64_t kMostKeys = 200'000;  // of a module or a class

Name unknown() {
  return {"", false, false};
}

// With room for what is appended to it: names are made by the million.
Name longer(const Name& name) {
  constexpr std::size_t kRoom = 40;
  Name copy{{}, name.evaluable, name.known, name.items};
  copy.text.reserve(name.text.size() + kRoom);
  copy.text = name.text;
  return copy;
}

// What was last made for the address in `entry`; made anew for another one.
template <typename Value, typename Make>
const Value& known(std::pair<std::uint64_t, Value>& entry, std::uint64_t address, Make&& make) {
  if (entry.first != address) entry = {address, make()};
  return entry.second;
}

std::string subscript_of(std::uint32_t index) {
  const fmt::format_int digits(index);
  std::string text;
  text.reserve(digits.size() + 2);
  return text.append("[").append(digits.data(), digits.size()).append("]");
}

// What an attribute access gives back as it is in the class' dict: no descriptor.
bool is_plain(const Type& type) {
  switch (type.kind) {
    case Kind::Other:
    case Kind::BuiltinFunction:
    case Kind::Method:
    case Kind::Generator:
    case Kind::Frame:
      return false;
    default:
      return true;
  }
}

std::pair<std::string_view, std::string_view> split(std::string_view name, char at) {
  const std::size_t dot = name.find(at);
  if (dot == std::string_view::npos) return {name, {}};
  return {name.substr(0, dot), name.substr(dot + 1)};
}

}  // namespace

Names::Names(const TypeTable& types, const HeapIndex& index, const Runtime& runtime)
    : types_(types), image_(types.image()), index_(index), runtime_(runtime) {}

Name Names::of(std::uint32_t node) {
  return path(node, false, 0);
}
Name Names::group_of(std::uint32_t node) {
  return path(node, true, 0);
}

Name Names::path(std::uint32_t node, bool grouped, int depth) {
  if (node == HeapIndex::kNone || depth > kDeepest) return unknown();
  if (const auto& name = qualified(node)) return {*name, true, true};
  if (depth == 0) return step(node, grouped, depth);
  Prefix& prefix = prefixes_[(node * 2 + (grouped ? 1 : 0)) % prefixes_.size()];
  // A name that was found with fewer steps left to the top is found with more, and the other way
  // round.
  const bool holds = prefix.name.known ? prefix.depth >= depth : prefix.depth <= depth;
  if (prefix.node == node && prefix.grouped == grouped && holds) return longer(prefix.name);
  Name name = step(node, grouped, depth);
  prefix = {node, depth, grouped, name};
  return longer(name);
}

Name Names::attribute(Name of, std::string_view key) const {
  if (!of.known) return of;
  if (is_identifier(key))
    of.text.append(".").append(key);
  else
    of.text += fmt::format(".__dict__[{}]", repr_of(key));
  return of;
}

// A module `a.b` is not always what the attribute b of a is.
bool Names::is_reached_by(const std::string& module, std::uint64_t object) {
  const auto [found, is_new] = reached_.try_emplace(module, 0);
  if (is_new) {
    const auto [first, tail] = split(module, '.');
    std::uint64_t at = is_identifier(first) ? look_up(runtime_.modules, std::string(first)) : 0;
    for (std::string_view rest = tail; at != 0 && !rest.empty();) {
      const auto [part, more] = split(rest, '.');
      at = is_identifier(part) ? look_up(dict_of(at), std::string(part)) : 0;
      rest = more;
    }
    found->second = at;
  }
  return found->second == object;
}

Name Names::name_of_module(std::uint32_t module, bool grouped, int depth) {
  const HeapIndex::Node& node = index_.nodes()[module];
  // A module that sys.modules leads to is called by its name there.
  if (node.edge == Edge::DictValue && node.parent != HeapIndex::kNone &&
      index_.nodes()[node.parent].edge == Edge::SysModules) {
    const auto dict = read_dict(image_, types_.layout(), runtime_.modules);
    const auto key = dict ? text_at(types_, read_entry(image_, *dict, node.slot).key, kLongestText)
                          : std::nullopt;
    if (key && is_reached_by(*key, node.address)) return {*key, true, true};
  }
  return path(module, grouped, depth + 1);
}

Name Names::step(std::uint32_t number, bool grouped, int depth) {
  const HeapIndex::Node& node = index_.nodes()[number];
  const Type& type = index_.type(node);
  if (node.parent == HeapIndex::kNone) {
    if (node.edge == Edge::SysModules) return {"sys.modules", true, true};
    if (node.edge == Edge::Thread && type.kind == Kind::Code)
      return {fmt::format("{}.__code__", function_of_code(number, grouped, depth)), false, true};
    return unknown();
  }
  const HeapIndex::Node& parent = index_.nodes()[node.parent];
  const Type& parent_type = index_.type(parent);
  const auto with_suffix = [](Name name, const std::string& suffix, bool evaluable) {
    if (!name.known) return name;
    name.text += suffix;
    name.evaluable = name.evaluable && evaluable;
    return name;
  };
  const auto suffixed = [&](const std::string& suffix, bool evaluable) {
    return with_suffix(path(node.parent, grouped, depth + 1), suffix, evaluable);
  };
  const std::uint64_t items = grouped ? items_of(node.parent) : 0;
  const bool together = items > kLarge;
  const auto of_many = [&](Name name) {
    if (together) name.items = items;
    return name;
  };
  switch (node.edge) {
    case Edge::ModuleDict:
      return with_suffix(name_of_module(node.parent, grouped, depth), ".__dict__", true);
    case Edge::InstanceDict:
      return suffixed(".__dict__", true);
    // Python code gets a proxy of it.
    case Edge::TypeDict:
      return suffixed(".__dict__", true);
    case Edge::Subclass:
      return suffixed(
          fmt::format(".__subclasses__()[{}]", subclass_rank(parent.address, node.slot)), true);
    case Edge::WeakReference: {
      Name name = path(node.parent, grouped, depth + 1);
      name.text = fmt::format("weakref.ref({})", name.text);
      return name;
    }
    case Edge::DictValue:
      if (together && parent.edge != Edge::ModuleDict && parent.edge != Edge::TypeDict)
        return of_many(suffixed("[...]", false));
      return dict_value(node, grouped, depth);
    case Edge::DictKey: {
      if (auto text = interned(node)) return {std::move(*text), true, true};
      Name name = path(node.parent, grouped, depth + 1);
      name.text = together
                      ? fmt::format("list({})[...]", name.text)
                      : fmt::format("list({})[{}]", name.text, rank(parent.address, node.slot));
      return of_many(std::move(name));
    }
    case Edge::InlineValue: {
      const auto& keys = key_table_at(parent_type.cached_keys);
      if (!keys) return unknown();
      const std::uint64_t key = image_.word(keys->entry(node.slot) + keys->key_at);
      Name of = path(node.parent, grouped, depth + 1);
      const auto& text = text_of_key(key);
      return text ? attribute(std::move(of), *text) : unknown();
    }
    case Edge::Item:
      if (parent.edge == Edge::Field &&
          parent.slot == static_cast<std::uint32_t>(FieldId::CodeLocals))
        return local_of_code(node, grouped, depth);
      return of_many(suffixed(together ? "[...]" : subscript_of(node.slot), !together));
    case Edge::SetItem: {
      Name name = path(node.parent, grouped, depth + 1);
      name.text =
          fmt::format("list({})[{}]", name.text,
                      together ? "..." : std::to_string(set_rank(parent.address, node.slot)));
      return of_many(std::move(name));
    }
    case Edge::Field: {
      const FieldName& field = kFields[node.slot];
      if (parent_type.kind == Kind::Module &&
          node.slot == static_cast<std::uint32_t>(FieldId::ModuleName))
        return with_suffix(name_of_module(node.parent, grouped, depth), ".__name__", true);
      if (node.slot == static_cast<std::uint32_t>(FieldId::FrameObject) ||
          node.slot == static_cast<std::uint32_t>(FieldId::FrameFunction))
        return parent_type.kind == Kind::Generator &&
                       node.slot == static_cast<std::uint32_t>(FieldId::FrameObject)
                   ? suffixed(".gi_frame", true)
                   : suffixed(fmt::format(".<{}>", field.name), false);
      if (parent_type.kind == Kind::Generator && field.name.starts_with("gi_") &&
          parent_type.name != "generator")
        return suffixed(fmt::format(".{}{}", parent_type.name == "coroutine" ? "cr_" : "ag_",
                                    field.name.substr(3)),
                        true);
      if (node.slot == static_cast<std::uint32_t>(FieldId::Annotations) && type.kind != Kind::Dict)
        return suffixed(".__annotations__", false);
      return suffixed(
          field.python ? fmt::format(".{}", field.name) : fmt::format(".<{}>", field.name),
          field.python);
    }
    case Edge::Member:
      if (const Type::Member* member = parent_type.member_at(node.slot))
        return attribute(path(node.parent, grouped, depth + 1), member->name);
      return unknown();
    case Edge::Closure:
      return suffixed(".cell_contents", true);
    case Edge::Local: {
      const std::uint64_t code = parent_type.kind == Kind::Code ? parent.address : 0;
      if (code != 0) {
        const std::string function = function_of_code(node.parent, grouped, depth);
        if (function.ends_with("<module>")) return unknown();
        return {fmt::format("{}.<locals>.{}", function, local_name(code, node.slot)), false, true};
      }
      return suffixed(fmt::format(".<locals>[{}]", node.slot), false);
    }
    case Edge::Temporary:
      return suffixed(".<stack>", false);
    case Edge::Class:
      return suffixed(".__class__", true);
    case Edge::Word:
      return suffixed(fmt::format(".<+{}>", node.slot), false);
    default:
      return unknown();
  }
}

// co_localsplusnames is not for Python code to see; the three tuples that are made of it have the
// same strings.
Name Names::local_of_code(const HeapIndex::Node& node, bool grouped, int depth) {
  const struct {
    std::uint8_t flag;  // CO_FAST_*, Include/internal/pycore_code.h
    const char* name;
    Ranks& ranks;
  } kinds_of_local[] = {{0x20, "co_varnames", variable_ranks_},
                        {0x40, "co_cellvars", cell_ranks_},
                        {0x80, "co_freevars", free_ranks_}};
  const HeapIndex::Node& tuple = index_.nodes()[node.parent];
  if (tuple.parent == HeapIndex::kNone || node.slot > kMostLocals) return unknown();
  const Layout& layout = types_.layout();
  const std::uint64_t code = index_.nodes()[tuple.parent].address;
  const std::uint64_t kinds = image_.word(code + layout.code.localspluskinds) + layout.bytes.data;
  for (const auto& kind : kinds_of_local) {
    const auto is_one = [&](std::uint64_t i) {
      return (image_.load<std::uint8_t>(kinds + i) & kind.flag) != 0;
    };
    if (!is_one(node.slot)) continue;
    const std::uint64_t rank = kind.ranks.before(kinds, node.slot, is_one);
    Name name = path(tuple.parent, grouped, depth + 1);
    name.text += fmt::format(".{}[{}]", kind.name, rank);
    return name;
  }
  return unknown();
}

// The interpreter's own dict of interned strings has each as key and as value.
std::optional<std::string> Names::interned(const HeapIndex::Node& node) const {
  const HeapIndex::Node& parent = index_.nodes()[node.parent];
  if (parent.parent != HeapIndex::kNone || parent.edge == Edge::SysModules) return std::nullopt;
  const auto dict = read_dict(image_, types_.layout(), parent.address);
  if (!dict) return std::nullopt;
  const Entry entry = read_entry(image_, *dict, node.slot);
  if (entry.key != node.address || entry.value != node.address) return std::nullopt;
  const auto text = text_at(types_, node.address, kLongestText);
  return text ? std::optional(fmt::format("sys.intern({})", repr_of(*text))) : std::nullopt;
}

Name Names::dict_value(const HeapIndex::Node& node, bool grouped, int depth) {
  const HeapIndex::Node& parent = index_.nodes()[node.parent];
  const auto& dict = dict_at(parent.address);
  if (!dict) return unknown();
  const std::uint64_t key_object = read_entry(image_, *dict, node.slot).key;
  const bool may_be_attribute = parent.edge == Edge::ModuleDict ||
                                parent.edge == Edge::InstanceDict ||
                                parent.edge == Edge::TypeDict || parent.edge == Edge::Field;
  const auto key = may_be_attribute ? text_of_key(key_object) : std::nullopt;
  if (auto text = interned(node)) return {std::move(*text), true, true};
  const auto subscript = [&](Name name) {
    std::optional<std::string> text = repr_of_key(key_object);
    if (!text)
      if (const Type* type = types_.type_of(key_object);
          type != nullptr && type->kind == Kind::Type)
        text = find_qualified(key_object, *type);
    if (text)
      name.text.append("[").append(*text).append("]");
    else
      name.text = fmt::format("list({}.values())[{}]", name.text, rank(parent.address, node.slot));
    return name;
  };
  switch (parent.edge) {
    case Edge::ModuleDict: {
      if (!key) break;
      return attribute(name_of_module(parent.parent, grouped, depth), *key);
    }
    case Edge::InstanceDict:
      if (!key) break;
      return attribute(path(parent.parent, grouped, depth + 1), *key);
    case Edge::Field:
      if (key && parent.slot == static_cast<std::uint32_t>(FieldId::Dict))
        return attribute(path(parent.parent, grouped, depth + 1), *key);
      break;
    case Edge::TypeDict: {
      Name type = path(parent.parent, grouped, depth + 1);
      if (key && is_identifier(*key) && is_plain(index_.type(node)))
        return attribute(std::move(type), *key);
      type.text += ".__dict__";
      return subscript(std::move(type));
    }
    default:
      break;
  }
  return subscript(path(node.parent, grouped, depth + 1));
}

// Dicts that are alike have the same keys.
const std::optional<std::string>& Names::repr_of_key(std::uint64_t key) {
  return known(key_reprs_[key / 16 % key_reprs_.size()], key, [&] { return repr_at(types_, key); });
}

const std::optional<std::string>& Names::text_of_key(std::uint64_t key) {
  return known(key_texts_[key / 16 % key_texts_.size()], key,
               [&] { return text_at(types_, key, kLongestText); });
}

const std::optional<Dict>& Names::dict_at(std::uint64_t address) {
  return known(last_dict_, address, [&] { return read_dict(image_, types_.layout(), address); });
}

const std::optional<KeyTable>& Names::key_table_at(std::uint64_t address) {
  return known(last_key_table_, address,
               [&] { return read_key_table(image_, types_.layout(), address); });
}

std::uint64_t Names::dict_of(std::uint64_t object) const {
  const std::uint32_t node = index_.find(object);
  if (node == HeapIndex::kNone) return 0;
  const Type& type = index_.type(index_.nodes()[node]);
  if (type.kind == Kind::Module) return image_.word(object + types_.layout().module.dict);
  if (type.kind != Kind::Type) return 0;
  return dict_of_type(types_, runtime_, object);
}

std::uint64_t Names::look_up(std::uint64_t dict, const std::string& key) {
  const auto [found, is_new] = dicts_.try_emplace(dict);
  if (is_new) {
    const auto read = read_dict(image_, types_.layout(), dict);
    if (!read) return 0;
    for (std::uint64_t i = 0; i < read->keys.used && i < kMostKeys; ++i) {
      const Entry entry = read_entry(image_, *read, i);
      if (entry.key == 0 || entry.value == 0) continue;
      if (auto text = text_at(types_, entry.key, kLongestText))
        found->second.emplace(std::move(*text), entry.value);
    }
  }
  const auto value = found->second.find(key);
  return value == found->second.end() ? 0 : value->second;
}

const std::optional<std::string>& Names::qualified(std::uint32_t number) {
  static constexpr std::optional<std::string> kNone;
  const HeapIndex::Node& node = index_.nodes()[number];
  const Type& type = index_.type(node);
  if (type.kind != Kind::Type && type.kind != Kind::Function) return kNone;
  const auto [found, is_new] = qualified_.try_emplace(number);
  std::optional<std::string>& name =
      found->second;  // stays where it is, whatever else is looked up
  if (is_new) name = find_qualified(node.address, type);
  return name;
}

std::optional<std::string> Names::find_qualified(std::uint64_t object, const Type& type) {
  const Layout& layout = types_.layout();
  std::string module, qualname;
  if (type.kind == Kind::Function) {
    module =
        text_at(types_, image_.word(object + layout.function.module), kLongestText).value_or("");
    qualname =
        text_at(types_, image_.word(object + layout.function.qualname), kLongestText).value_or("");
  } else if (type.kind == Kind::Type) {
    const Type* itself = types_.find(object);
    if (itself == nullptr) return std::nullopt;
    if (itself->heap()) {
      qualname = text_at(types_, image_.word(object + layout.heap_type.qualname), kLongestText)
                     .value_or("");
      module = text_at(types_, look_up(dict_of(object), "__module__"), kLongestText).value_or("");
    } else {
      const std::size_t dot = itself->name.rfind('.');
      qualname = dot == std::string::npos ? itself->name : itself->name.substr(dot + 1);
      module = dot == std::string::npos ? "builtins" : itself->name.substr(0, dot);
    }
  }
  if (module.empty() || qualname.empty() || qualname.find('<') != std::string::npos)
    return std::nullopt;
  std::uint64_t at = look_up(runtime_.modules, module);
  for (std::string_view rest = qualname; at != 0 && !rest.empty();) {
    const auto [first, tail] = split(rest, '.');
    if (!is_identifier(first)) return std::nullopt;
    at = look_up(dict_of(at), std::string(first));
    rest = tail;
  }
  if (at != object || !is_reached_by(module, look_up(runtime_.modules, module)))
    return std::nullopt;
  return module == "builtins" ? qualname : fmt::format("{}.{}", module, qualname);
}

std::string Names::function_of_code(std::uint32_t number, bool grouped, int depth) {
  const HeapIndex::Node& node = index_.nodes()[number];
  const Layout& layout = types_.layout();
  if (node.parent != HeapIndex::kNone &&
      index_.type(index_.nodes()[node.parent]).kind == Kind::Function) {
    const Name name = path(node.parent, grouped, depth + 1);
    if (name.known) return name.text;
  }
  const Offset offset = layout.code.qualname != kAbsent ? layout.code.qualname : layout.code.name;
  return text_at(types_, image_.word(node.address + offset), kLongestText).value_or("<code>");
}

std::string Names::local_name(std::uint64_t code, std::uint32_t slot) const {
  const Layout& layout = types_.layout();
  const auto from = [&](Offset offset, std::uint64_t index) -> std::optional<std::string> {
    if (offset == kAbsent) return std::nullopt;
    const std::uint64_t tuple = image_.word(code + offset);
    if (index >= image_.word(tuple + layout.object.var_size)) return std::nullopt;
    return text_at(types_, image_.word(tuple + layout.tuple.items + index * 8), kLongestText);
  };
  if (auto name = from(layout.code.localsplusnames, slot)) return *name;
  std::uint64_t index = slot;
  for (const Offset offset : {layout.code.varnames, layout.code.cellvars, layout.code.freevars}) {
    if (offset == kAbsent) continue;
    const std::uint64_t count = image_.word(image_.word(code + offset) + layout.object.var_size);
    if (index < count) return from(offset, index).value_or("?");
    index -= count;
  }
  return fmt::format("{}", slot);
}

std::uint64_t Names::items_of(std::uint32_t container) {
  if (last_items_.first == container) return last_items_.second;
  const Layout& layout = types_.layout();
  const HeapIndex::Node& node = index_.nodes()[container];
  std::uint64_t items = 0;
  switch (index_.type(node).kind) {
    case Kind::Dict:
      items = image_.word(node.address + layout.dict.used);
      break;
    case Kind::List:
    case Kind::Tuple:
    case Kind::Deque:
      items = image_.word(node.address + layout.object.var_size);
      break;
    case Kind::Set:
      items = image_.word(node.address + layout.set.used);
      break;
    default:
      break;
  }
  last_items_ = {container, items};
  return items;
}

std::uint64_t Names::rank(std::uint64_t dict, std::uint32_t entry) {
  const auto& read = dict_at(dict);
  if (!read) return 0;
  return dict_ranks_.before(dict, entry, [&](std::uint64_t i) {
    const Entry one = read_entry(image_, *read, i);
    return one.value != 0 && one.key != 0;
  });
}

// __subclasses__() leaves out those that are gone.
std::uint64_t Names::subclass_rank(std::uint64_t type, std::uint32_t entry) {
  const auto& layout = types_.layout();
  std::uint64_t dict = image_.word(type + layout.type.subclasses);
  if (const std::uint64_t state = static_type_state(types_, runtime_, type); state != 0)
    dict = image_.word(state + layout.static_type.tp_subclasses);
  const auto read = read_dict(image_, layout, dict);
  if (!read) return 0;
  return subclass_ranks_.before(type, entry, [&](std::uint64_t i) {
    const std::uint64_t reference = read_entry(image_, *read, i).value;
    const std::uint64_t object =
        reference != 0 ? image_.word(reference + layout.weakref.object) : 0;
    const Type* of = types_.type_of(object);
    return of != nullptr && of->kind == Kind::Type;
  });
}

std::uint64_t Names::set_rank(std::uint64_t set, std::uint32_t slot) {
  const auto& at = types_.layout().set;
  const std::uint64_t table = image_.word(set + at.table);
  return set_ranks_.before(set, slot, [&](std::uint64_t i) {
    // A dummy stands where an item was removed; it is no item. Its hash is -1.
    return image_.word(table + i * at.entry_size) != 0 &&
           image_.word(table + i * at.entry_size + 8) != UINT64_MAX;
  });
}

std::string Names::key_of(std::uint64_t dict, std::uint64_t entry) const {
  const auto read = read_dict(image_, types_.layout(), dict);
  if (!read || entry >= read->keys.used) return {};
  return repr_at(types_, read_entry(image_, *read, entry).key).value_or("");
}

}  // namespace cowtrace::python
