// SPDX-License-Identifier: Apache-2.0
#include "python/heap_index.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "base/units.h"

namespace cowtrace::python {
namespace {

constexpr std::uint64_t kGrain = 8;  // objects of static data are aligned to no more
constexpr std::size_t kMostThreads = 10'000;
constexpr std::size_t kMostFrames = 10'000;  // of one thread

}  // namespace

// Takes references in; what is new becomes a node.
class HeapVisitor {
 public:
  HeapVisitor(HeapIndex& index, const TypeTable& types, const Runtime& runtime)
      : index_(index), types_(types), image_(types.image()), runtime_(runtime), references_(types) {
    seen_.reserve(image_.regions().size());
    std::uint64_t words = 0;
    for (const MemoryImage::Region& region : image_.regions())
      seen_.emplace_back((region.end - region.start) / kGrain / 64 + 1);
    image_.frames().for_each([&](std::uint64_t, process::PageEntry) { words += kPageSize / 8; });
    index_.budget_ = words * 2 + 1'000'000;
    find_static_dicts();
  }

  void refer(Edge edge, std::uint32_t slot, std::uint64_t target, std::uint64_t /*place*/ = 0) {
    if (target == 0 || index_.budget_ == 0) return;
    --index_.budget_;
    if (target % kGrain != 0) return;
    const MemoryImage::Region* region = image_.region_at(target);
    if (region == nullptr) return;
    std::uint64_t& bits = bits_of(*region, target);
    const std::uint64_t bit = std::uint64_t{1} << (target - region->start) / kGrain % 64;
    if ((bits & bit) != 0 || waits(edge, slot, target)) return;
    const Type* type = types_.type_of(target);
    if (type == nullptr) return;
    bits |= bit;
    index_.nodes_.push_back({target, parent_, slot, number_of(type), edge});
  }

  bool table(Table kind, std::uint64_t start, std::uint64_t end) {
    if (index_.budget_ == 0 || end <= start) return false;
    --index_.budget_;
    const MemoryImage::Region* region = image_.region_at(start);
    if (region == nullptr || start % kGrain != 0) return false;
    std::uint64_t& bits = bits_of(*region, start);
    const std::uint64_t bit = std::uint64_t{1} << (start - region->start) / kGrain % 64;
    if ((bits & bit) != 0) return false;
    bits |= bit;
    index_.tables_.push_back({start, end, parent_, kind});
    return true;
  }

  void root(Edge edge, std::uint32_t slot, std::uint64_t target) {
    parent_ = HeapIndex::kNone;
    refer(edge, slot, target);
  }

  // References whose names are long, or are none in Python, wait until the others have come to their end.
  bool waits(Edge edge, std::uint32_t slot, std::uint64_t target) {
    int turn = 0;
    switch (edge) {
      case Edge::DictKey: case Edge::SetItem: turn = 1; break;
      case Edge::Subclass: case Edge::WeakReference: turn = 2; break;
      case Edge::Local: case Edge::Temporary: case Edge::Word: turn = 3; break;
      case Edge::Field:
        if (!kFields[slot].python) turn = 3;
        // A tuple there becomes a dict when Python code asks for it.
        if (slot == static_cast<std::uint32_t>(FieldId::Annotations)) turn = 3;
        break;
      default: break;
    }
    if (turn <= turn_) return false;
    waiting_[turn].push_back({target, parent_, slot, edge});
    return true;
  }

  // Lets the waiting ones in, kind by kind.
  void follow_all() {
    follow();
    for (int turn = 1; turn < kTurns; ++turn) {
      turn_ = turn;
      for (std::size_t i = 0; i < waiting_[turn].size(); ++i) {
        const Waiting one = waiting_[turn][i];
        parent_ = one.parent;
        refer(one.edge, one.slot, one.target);
        if (turn > 1) follow();
      }
      waiting_[turn] = {};
      follow();
    }
  }

  // Follows precise references until there is no new one.
  void follow() {
    for (; next_ < index_.nodes_.size() && index_.budget_ > 0; ++next_) {
      parent_ = static_cast<std::uint32_t>(next_);
      const HeapIndex::Node node = index_.nodes_[next_];
      const Type& type = *index_.node_types_[node.type];
      references_.visit(node.address, type, *this);
      if (type.kind == Kind::Type) references_.subclasses(image_.word(node.address + types_.layout().type.subclasses), *this);
      if (type.kind == Kind::Type && !static_dicts_.empty())
        if (const auto found = static_dicts_.find(node.address); found != static_dicts_.end()) static_type(found->second);
    }
  }

  // Classes that nothing else leads to.
  void follow_classes() {
    for (; next_class_ < index_.nodes_.size(); ++next_class_) {
      parent_ = static_cast<std::uint32_t>(next_class_);
      refer(Edge::Class, 0, index_.node_types_[index_.nodes_[next_class_].type]->address);
    }
    follow();
  }

  // What C code keeps in objects that this program does not know from inside.
  void follow_words() {
    for (; next_word_ < index_.nodes_.size() && index_.budget_ > 0; ++next_word_) {
      const HeapIndex::Node node = index_.nodes_[next_word_];
      const Type& type = *index_.node_types_[node.type];
      if (!has_unknown_words(type)) continue;
      parent_ = static_cast<std::uint32_t>(next_word_);
      // What is behind the slots of a generator's frame that are in use is left from before.
      const std::uint64_t size =
          type.kind == Kind::Generator ? type.basicsize : std::min<std::uint64_t>(types_.size_of(node.address, type), 64 * 1024);
      for (std::uint64_t at = 16; at + 8 <= size; at += 8) refer(Edge::Word, static_cast<std::uint32_t>(at), image_.word(node.address + at));
      if (type.kind == Kind::Module) follow_state(node.address);
      follow();
      follow_classes();
    }
  }

  void words(Edge edge, std::uint64_t start, std::uint64_t end) {
    for (std::uint64_t at = start; at + 8 <= end; at += 8) root(edge, static_cast<std::uint32_t>(at - start), image_.word(at));
  }

  void threads();
  void gc_lists();

 private:
  std::uint64_t& bits_of(const MemoryImage::Region& region, std::uint64_t address) {
    return seen_[static_cast<std::size_t>(&region - image_.regions().data())][(address - region.start) / kGrain / 64];
  }

  std::uint32_t number_of(const Type* type) {
    if (type == last_type_) return last_number_;
    const auto [found, is_new] = numbers_.try_emplace(type, static_cast<std::uint32_t>(index_.node_types_.size()));
    if (is_new) index_.node_types_.push_back(type);
    last_type_ = type;
    return last_number_ = found->second;
  }

  // What differs from one interpreter to another is kept beside static types.
  void static_type(std::uint64_t entry) {
    const auto& at = types_.layout().static_type;
    refer(Edge::TypeDict, 0, image_.word(entry + at.tp_dict));
    if (at.tp_weaklist != kAbsent) refer(Edge::WeakReference, 0, image_.word(entry + at.tp_weaklist));
    if (at.tp_subclasses == kAbsent) return;
    refer(Edge::Field, static_cast<std::uint32_t>(FieldId::Subclasses), image_.word(entry + at.tp_subclasses));
    references_.subclasses(image_.word(entry + at.tp_subclasses), *this);
  }

  static bool has_unknown_words(const Type& type) {
    switch (type.kind) {
      case Kind::Other: case Kind::Module: case Kind::Dict: case Kind::Generator: case Kind::Deque: case Kind::Type: case Kind::Code: return true;
      default: return type.heap();
    }
  }

  // The C structure of a module's state is an allocation of its own.
  void follow_state(std::uint64_t module) {
    const std::uint64_t state = image_.word(module + static_cast<std::uint64_t>(types_.layout().module.state));
    if (state == 0 || state % 16 != 0) return;
    // PyModuleDef.m_size (Include/moduleobject.h); 3.15 keeps no definition.
    constexpr std::uint64_t kDefinition = 24, kSize = 56, kUsual = 512, kMost = 64 * 1024;
    std::uint64_t size = types_.layout().version < Version{3, 15} ? image_.word(image_.word(module + kDefinition) + kSize) : kUsual;
    if (size == 0 || size > kMost) size = kUsual;
    if (image_.at(state, size) == nullptr || !table(Table::State, state, state + size)) return;
    for (std::uint64_t at = 0; at + 8 <= size; at += 8) refer(Edge::Word, static_cast<std::uint32_t>(at), image_.word(state + at));
  }

  // 3.12 and later.
  void find_static_dicts() {
    const Layout& layout = types_.layout();
    const auto& at = layout.static_type;
    if (layout.interpreter.types_builtins == kAbsent || at.size == kAbsent || at.type == kAbsent) return;
    const auto take = [&](Offset array, int count) {
      for (int i = 0; array != kAbsent && i < count; ++i) {
        const std::uint64_t entry = runtime_.interpreter + static_cast<std::uint64_t>(array) + static_cast<std::uint64_t>(i * at.size);
        const std::uint64_t type = image_.word(entry + at.type);
        if (type != 0 && types_.find(type) != nullptr) static_dicts_.emplace(type, entry);
      }
    };
    take(layout.interpreter.types_builtins, layout.interpreter.types_builtins_count);
    take(layout.interpreter.types_extensions, layout.interpreter.types_extensions_count);
  }

  HeapIndex& index_;
  const TypeTable& types_;
  const MemoryImage& image_;
  const Runtime& runtime_;
  References references_;
  std::vector<std::vector<std::uint64_t>> seen_;  // a bit for each address that is a node or begins a table, by region
  std::unordered_map<const Type*, std::uint32_t> numbers_;
  std::unordered_map<std::uint64_t, std::uint64_t> static_dicts_;  // static type -> managed_static_type_state
  const Type* last_type_ = nullptr;
  std::uint32_t last_number_ = 0;
  std::uint32_t parent_ = HeapIndex::kNone;
  std::size_t next_ = 0, next_class_ = 0, next_word_ = 0;
  static constexpr int kTurns = 4;
  struct Waiting {
    std::uint64_t target;
    std::uint32_t parent, slot;
    Edge edge;
  };
  std::array<std::vector<Waiting>, kTurns> waiting_;
  int turn_ = 0;
};

// What the functions that are running hold. Names of locals hang on the code: `worker.<locals>.cache`.
void HeapVisitor::threads() {
  const Layout& layout = types_.layout();
  const auto& at = layout.interpreter_frame;
  const bool objects = at.executable == kAbsent;  // 3.8 to 3.10: frames are objects
  struct Running {
    std::uint64_t frame, code;
    std::uint32_t thread;
  };
  std::vector<Running> running;
  std::unordered_map<std::uint64_t, std::uint32_t> node_of_code;
  std::uint64_t thread = image_.word(runtime_.interpreter + layout.interpreter.threads_head);
  for (std::uint32_t t = 0; thread != 0 && t < kMostThreads; ++t) {
    std::uint64_t frame = layout.thread.cframe != kAbsent
                              ? image_.word(image_.word(thread + layout.thread.cframe) + layout.thread.cframe_current_frame)
                              : image_.word(thread + layout.thread.frame);
    for (std::size_t depth = 0; frame != 0 && depth < kMostFrames; ++depth) {
      const std::uint64_t code = image_.word(frame + (objects ? layout.frame.code : at.executable)) & ~std::uint64_t{7};
      running.push_back({frame, code, t});
      node_of_code.emplace(code, HeapIndex::kNone);
      frame = image_.word(frame + (objects ? layout.frame.back : at.previous));
    }
    thread = image_.word(thread + layout.thread.next);
  }
  for (std::size_t i = 0; i < index_.nodes_.size(); ++i)
    if (const auto found = node_of_code.find(index_.nodes_[i].address); found != node_of_code.end())
      found->second = static_cast<std::uint32_t>(i);
  for (const Running& one : running) {
    std::uint32_t& code = node_of_code.at(one.code);
    if (code == HeapIndex::kNone) {
      const std::size_t before = index_.nodes_.size();
      root(Edge::Thread, one.thread, one.code);
      if (index_.nodes_.size() == before) continue;
      code = static_cast<std::uint32_t>(before);
    }
    parent_ = code;
    if (objects)
      references_.visit_old_frame_locals(one.frame, *this);
    else
      references_.visit_interpreter_frame(one.frame, *this);
  }
  if (objects)
    for (const Running& one : running) root(Edge::Thread, one.thread, one.frame);
}

// Everything that the collector tracks and nothing else led to.
void HeapVisitor::gc_lists() {
  constexpr std::uint64_t kFlags = 7;
  const auto& gc = types_.layout().gc;
  std::vector<std::uint64_t> heads;
  if (gc.generations != kAbsent)
    for (int i = 0; i < gc.generation_count; ++i) heads.push_back(runtime_.gc + gc.generations + i * gc.generation_size);
  if (gc.young != kAbsent) heads.push_back(runtime_.gc + gc.young);
  if (gc.old != kAbsent)
    for (int i = 0; i < 2; ++i) heads.push_back(runtime_.gc + gc.old + i * gc.generation_size);
  if (gc.permanent != kAbsent) heads.push_back(runtime_.gc + gc.permanent);
  for (const std::uint64_t head : heads) {
    std::uint64_t at = image_.word(head) & ~kFlags;
    while (at != 0 && at != head && index_.budget_ > 0) {
      root(Edge::Tracked, 0, at + 16);
      at = image_.word(at) & ~kFlags;
      --index_.budget_;
    }
  }
}

HeapIndex::HeapIndex(const TypeTable& types, const Runtime& runtime) {
  walk(types, runtime);
  by_address_.resize(nodes_.size());
  for (std::size_t i = 0; i < by_address_.size(); ++i) by_address_[i] = static_cast<std::uint32_t>(i);
  std::sort(by_address_.begin(), by_address_.end(),
            [this](std::uint32_t a, std::uint32_t b) { return nodes_[a].address < nodes_[b].address; });
  std::sort(tables_.begin(), tables_.end(), [](const OwnedTable& a, const OwnedTable& b) { return a.start < b.start; });
}

void HeapIndex::walk(const TypeTable& types, const Runtime& runtime) {
  const Layout& layout = types.layout();
  HeapVisitor visitor(*this, types, runtime);
  visitor.root(Edge::SysModules, 0, runtime.modules);
  visitor.follow_all();
  visitor.threads();
  visitor.follow();
  visitor.follow_classes();
  visitor.words(Edge::Interpreter, runtime.interpreter, runtime.interpreter + layout.interpreter.size);
  visitor.follow();
  visitor.follow_classes();
  visitor.follow_words();
  if (layout.runtime.static_objects != kAbsent)
    for (std::uint64_t at = runtime.address + layout.runtime.static_objects; at < runtime.address + layout.runtime.size; at += 16)
      visitor.root(Edge::Static, 0, at);
  for (const MemoryImage::Region& region : types.image().regions())
    if (region.writable && (region.module != nullptr || region.start == runtime.module_end))
      visitor.words(Edge::Static, region.start, region.end);
  visitor.follow();
  visitor.gc_lists();
  visitor.follow();
  visitor.follow_classes();
  visitor.follow_words();
}

std::size_t HeapIndex::first_from(std::uint64_t address) const {
  const auto found = std::lower_bound(by_address_.begin(), by_address_.end(), address,
                                      [this](std::uint32_t node, std::uint64_t value) { return nodes_[node].address < value; });
  return static_cast<std::size_t>(found - by_address_.begin());
}

std::uint32_t HeapIndex::at_or_before(std::uint64_t address) const {
  const std::size_t i = address == UINT64_MAX ? by_address_.size() : first_from(address + 1);
  return i == 0 ? kNone : by_address_[i - 1];
}

std::uint32_t HeapIndex::after(std::uint64_t address) const {
  const std::size_t i = address == UINT64_MAX ? by_address_.size() : first_from(address + 1);
  return i == by_address_.size() ? kNone : by_address_[i];
}

std::uint32_t HeapIndex::find(std::uint64_t address) const {
  const std::uint32_t found = at_or_before(address);
  return found != kNone && nodes_[found].address == address ? found : kNone;
}

const HeapIndex::OwnedTable* HeapIndex::table_at(std::uint64_t address) const {
  const auto behind = std::upper_bound(tables_.begin(), tables_.end(), address,
                                       [](std::uint64_t value, const OwnedTable& table) { return value < table.start; });
  if (behind == tables_.begin()) return nullptr;
  const OwnedTable& table = *std::prev(behind);
  return address < table.end ? &table : nullptr;
}

std::size_t HeapIndex::bytes_used() const {
  return nodes_.capacity() * sizeof(Node) + tables_.capacity() * sizeof(OwnedTable) + by_address_.capacity() * sizeof(std::uint32_t);
}

}  // namespace cowtrace::python
