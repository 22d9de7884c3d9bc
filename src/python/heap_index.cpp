// SPDX-License-Identifier: Apache-2.0
#include "python/heap_index.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include "base/bits.h"
#include "base/interrupt.h"
#include "base/lazy_array.h"
#include "base/units.h"
#include "image/address_bits.h"

namespace cowtrace::python {
namespace {

constexpr std::uint64_t kGrain = image::AddressBits::kGrain;
constexpr std::uint64_t kFewReadable = 4 << 20;  // bytes
constexpr std::size_t kMostThreads = 10'000;
constexpr std::size_t kMostFrames = 10'000;  // of one thread
constexpr std::size_t kMostFramesOfAll = 200'000;

}  // namespace

// Takes references in; what is new becomes a node.
class HeapVisitor {
 public:
  struct Reference {
    std::uint64_t target = 0;
    std::uint32_t parent = 0, slot = 0;
    Edge edge = Edge::SysModules;
  };

  HeapVisitor(HeapIndex& index, const TypeTable& types, const Runtime& runtime)
      : index_(index),
        types_(types),
        image_(types.image()),
        runtime_(runtime),
        references_(types),
        seen_(image_),
        waits_(image_) {
    const std::uint64_t words = image_.words();
    index_.budget_ = words * 4 + 1'000'000;
    // An object for each eight words is more than there are, and to grow would cost more than the
    // walk; what is not used takes no memory.
    index_.nodes_.reserve(words / 8);
    index_.tables_.reserve(words / 24);
    image_.expect_walk();
    find_static_dicts();
  }

  // A target is looked at a little later, in the same order, when it has come from memory.
  void refer(Edge edge, std::uint32_t slot, std::uint64_t target, std::uint64_t /*place*/ = 0) {
    ++looks_;
    if (image_.bytes_readable() > most_readable_) keep_few_readable();
    if (index_.budget_ == 0) return;
    // What refers to nothing, too: of memory that nobody has written to there may be any amount.
    if ((--index_.budget_ & 0xffff) == 0) check_interrupt();
    if (target == 0 || target % kGrain != 0) return;
    const image::MemoryImage::Region* region = image_.region_at(target);
    if (region == nullptr) return;
    image_.prefetch(*region, target);
    seen_.prefetch(*region, target);
    Reference& oldest = coming_[coming_end_++ % coming_.size()];
    const Reference one = std::exchange(oldest, {target, parent_, slot, edge});
    if (one.target != 0) admit(one);
  }

  [[nodiscard]] bool wants_more() const { return index_.budget_ != 0; }

  // No more target is on its way.
  void settle() {
    for (std::size_t i = 0; i < coming_.size(); ++i) {
      const Reference one = std::exchange(coming_[coming_end_++ % coming_.size()], {});
      if (one.target != 0) admit(one);
    }
  }

  bool table(Table kind, std::uint64_t start, std::uint64_t end) {
    if (index_.budget_ == 0 || end <= start) return false;
    --index_.budget_;
    const image::MemoryImage::Region* region = image_.region_at(start);
    if (region == nullptr || start % kGrain != 0) return false;
    if (seen_.test(*region, start)) return false;
    seen_.set(*region, start);
    index_.tables_.push_back({start, end, parent_, kind});
    return true;
  }

  void admit(const Reference& one) {
    const image::MemoryImage::Region& region = *image_.region_at(one.target);
    if (seen_.test(region, one.target) || waits(region, one)) return;
    const Type* type = types_.type_of(one.target);
    if (type == nullptr) return;
    seen_.set(region, one.target);
    index_.nodes_.push_back({one.target, one.parent, one.slot, number_of(type), one.edge});
  }

  void root(Edge edge, std::uint32_t slot, std::uint64_t target) {
    parent_ = HeapIndex::kNone;
    refer(edge, slot, target);
  }

  // References whose names are long, or are none in Python, wait until the others have come to
  // their end.
  bool waits(const image::MemoryImage::Region& region, const Reference& one) {
    int turn = 0;
    switch (one.edge) {
      case Edge::DictKey:
      case Edge::SetItem:
        turn = 1;
        break;
      case Edge::Subclass:
      case Edge::WeakReference:
        turn = 2;
        break;
      case Edge::Local:
      case Edge::Temporary:
      case Edge::Word:
        turn = 3;
        break;
      case Edge::Field:
        if (!kFields[one.slot].python) turn = 3;
        // A tuple there becomes a dict when Python code asks for it.
        if (one.slot == static_cast<std::uint32_t>(FieldId::Annotations)) turn = 3;
        break;
      default:
        break;
    }
    if (turn <= turn_) return false;
    // The keys of many dicts are the same ones: the first that leads to an object is enough.
    if (turn == 1) {
      if (waits_.test(region, one.target)) return true;
      waits_.set(region, one.target);
    }
    waiting_[turn].push_back(one);
    return true;
  }

  // Lets the waiting ones in, kind by kind.
  void follow_all() {
    follow();
    for (int turn = 1; turn < kTurns; ++turn) {
      turn_ = turn;
      for (std::size_t i = 0; i < waiting_[turn].size(); ++i) {
        const Reference one = waiting_[turn][i];
        parent_ = one.parent;
        refer(one.edge, one.slot, one.target);
        if (turn > 1) follow();
      }
      waiting_[turn] = {};
      follow();
    }
  }

  // What the nodes that come next refer to is on its way when it is their turn.
  void look_ahead() {
    constexpr std::size_t kObjects = 8, kTables = 4;
    const auto& nodes = index_.nodes_;
    if (next_ + kObjects < nodes.size()) image_.prefetch(nodes[next_ + kObjects].address);
    if (next_ + kTables >= nodes.size()) return;
    const HeapIndex::Node& node = nodes[next_ + kTables];
    const Layout& layout = types_.layout();
    switch (index_.node_types_[node.type]->kind) {
      case Kind::Dict:
        image_.prefetch(image_.word(node.address + layout.dict.keys));
        break;
      case Kind::List:
        image_.prefetch(image_.word(node.address + layout.list.items));
        break;
      default:
        break;
    }
  }

  // Objects that are made one after the other lie side by side, and one page serves many of them:
  // few pages at a time are enough. Where they are scattered pages are asked for again and again,
  // and more of them stay.
  void keep_few_readable() {
    constexpr std::uint64_t kWorthIt = 6;  // looks for each page that was made readable
    if (std::exchange(looks_, 0) >= kWorthIt * most_readable_ / kPageSize)
      image_.forget(most_readable_);
    else
      most_readable_ = UINT64_MAX;
  }

  // Follows precise references until there is no new one.
  void follow() {
    settle();
    for (; index_.budget_ > 0; ++next_) {
      if (next_ == index_.nodes_.size()) settle();
      if (next_ == index_.nodes_.size()) break;
      look_ahead();
      parent_ = static_cast<std::uint32_t>(next_);
      const HeapIndex::Node node = index_.nodes_[next_];
      const Type& type = *index_.node_types_[node.type];
      references_.visit(node.address, type, *this);
      if (type.kind == Kind::Type)
        references_.subclasses(image_.word(node.address + types_.layout().type.subclasses), *this);
      if (type.kind == Kind::Type && !static_dicts_.empty())
        if (const auto found = static_dicts_.find(node.address); found != static_dicts_.end())
          static_type(found->second);
    }
  }

  // Classes that nothing else leads to.
  void follow_classes() {
    settle();
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
      // First, so that the state itself, which begins with a reference, is not taken for an object.
      if (type.kind == Kind::Module) follow_state(node.address);
      // What is behind the slots of a generator's frame that are in use is left from before.
      const std::uint64_t size =
          type.kind == Kind::Generator
              ? type.basicsize
              : std::min<std::uint64_t>(types_.size_of(node.address, type), 64 * 1024);
      for (std::uint64_t at = 16; at + 8 <= size; at += 8)
        refer(Edge::Word, static_cast<std::uint32_t>(at), image_.word(node.address + at));
      follow();
      follow_classes();
    }
  }

  void words(Edge edge, std::uint64_t start, std::uint64_t end) {
    for (std::uint64_t at = start; at < end && end - at >= 8; at += 8) {
      if (at == start || at % kPageSize == 0) at = image_.skip_holes(at, end);
      if (at < end) root(edge, static_cast<std::uint32_t>(at - start), image_.word(at));
    }
  }

  void threads();
  void gc_lists();
  void sort_nodes();

 private:
  std::uint32_t number_of(const Type* type) {
    auto& known = index_.node_types_;
    if (type->number >= known.size()) known.resize(type->number + 1);
    known[type->number] = type;
    return type->number;
  }

  // What differs from one interpreter to another is kept beside static types.
  void static_type(std::uint64_t entry) {
    const auto& at = types_.layout().static_type;
    refer(Edge::TypeDict, 0, image_.word(entry + at.tp_dict));
    if (at.tp_weaklist != kAbsent)
      refer(Edge::WeakReference, 0, image_.word(entry + at.tp_weaklist));
    if (at.tp_subclasses == kAbsent) return;
    refer(Edge::Field, static_cast<std::uint32_t>(FieldId::Subclasses),
          image_.word(entry + at.tp_subclasses));
    references_.subclasses(image_.word(entry + at.tp_subclasses), *this);
  }

  static bool has_unknown_words(const Type& type) {
    switch (type.kind) {
      case Kind::Other:
      case Kind::Module:
      case Kind::Dict:
      case Kind::Generator:
      case Kind::Deque:
      case Kind::Type:
      case Kind::Code:
        return true;
      default:
        return type.heap();
    }
  }

  // The C structure of a module's state is an allocation of its own.
  void follow_state(std::uint64_t module) {
    settle();
    const std::uint64_t state =
        image_.word(module + static_cast<std::uint64_t>(types_.layout().module.state));
    if (state == 0 || state % 16 != 0) return;
    // PyModuleDef.m_size (Include/moduleobject.h); 3.15 keeps no definition.
    constexpr std::uint64_t kDefinition = 24, kSize = 56, kUsual = 512, kMost = 64 * 1024;
    std::uint64_t size = types_.layout().version < Version{3, 15}
                             ? image_.word(image_.word(module + kDefinition) + kSize)
                             : kUsual;
    if (size == 0 || size > kMost) size = kUsual;
    if (!image_.has(state, size) || !table(Table::State, state, state + size)) return;
    for (std::uint64_t at = 0; at + 8 <= size; at += 8)
      refer(Edge::Word, static_cast<std::uint32_t>(at), image_.word(state + at));
  }

  // 3.12 and later.
  void find_static_dicts() {
    const Layout& layout = types_.layout();
    const auto& at = layout.static_type;
    if (layout.interpreter.types_builtins == kAbsent || at.size == kAbsent || at.type == kAbsent)
      return;
    const auto take = [&](Offset array, int count) {
      for (int i = 0; array != kAbsent && i < count; ++i) {
        const std::uint64_t entry = runtime_.interpreter + static_cast<std::uint64_t>(array) +
                                    static_cast<std::uint64_t>(i * at.size);
        const std::uint64_t type = image_.word(entry + at.type);
        if (type != 0 && types_.find(type) != nullptr) static_dicts_.emplace(type, entry);
      }
    };
    take(layout.interpreter.types_builtins, layout.interpreter.types_builtins_count);
    take(layout.interpreter.types_extensions, layout.interpreter.types_extensions_count);
  }

  HeapIndex& index_;
  const TypeTable& types_;
  const image::MemoryImage& image_;
  const Runtime& runtime_;
  References references_;
  image::AddressBits seen_;   // is a node or begins a table
  image::AddressBits waits_;  // is in waiting_[1]
  std::unordered_map<std::uint64_t, std::uint64_t>
      static_dicts_;  // static type -> managed_static_type_state
  std::uint32_t parent_ = HeapIndex::kNone;
  std::size_t next_ = 0, next_class_ = 0, next_word_ = 0;
  static constexpr int kTurns = 4;
  std::array<std::vector<Reference>, kTurns> waiting_;
  int turn_ = 0;
  std::array<Reference, 16> coming_;
  std::size_t coming_end_ = 0;
  std::uint64_t most_readable_ = kFewReadable;  // bytes
  std::uint64_t looks_ = 0;  // at references, since the last time so many bytes were readable
};

// What the functions that are running hold. Names of locals hang on the code:
// `worker.<locals>.cache`.
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
                              ? image_.word(image_.word(thread + layout.thread.cframe) +
                                            layout.thread.cframe_current_frame)
                              : image_.word(thread + layout.thread.frame);
    for (std::size_t depth = 0;
         frame != 0 && depth < kMostFrames && running.size() < kMostFramesOfAll; ++depth) {
      const std::uint64_t code =
          image_.word(frame + (objects ? layout.frame.code : at.executable)) & ~std::uint64_t{7};
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
      settle();
      const std::size_t before = index_.nodes_.size();
      root(Edge::Thread, one.thread, one.code);
      settle();
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
    for (int i = 0; i < gc.generation_count; ++i)
      heads.push_back(runtime_.gc + gc.generations + i * gc.generation_size);
  if (gc.young != kAbsent) heads.push_back(runtime_.gc + gc.young);
  if (gc.old != kAbsent)
    for (int i = 0; i < 2; ++i) heads.push_back(runtime_.gc + gc.old + i * gc.generation_size);
  if (gc.permanent != kAbsent) heads.push_back(runtime_.gc + gc.permanent);
  for (const std::uint64_t head : heads) {
    std::uint64_t at = image_.word(head) & ~kFlags;
    // The list of a process that runs, or that is hostile, may never come back to its head.
    while (at != 0 && at != head && wants_more()) {
      root(Edge::Tracked, 0, at + 16);
      at = image_.word(at) & ~kFlags;
    }
  }
}

HeapIndex::HeapIndex(const TypeTable& types, const Runtime& runtime) {
  walk(types, runtime);
  std::sort(tables_.begin(), tables_.end(),
            [](const OwnedTable& a, const OwnedTable& b) { return a.start < b.start; });
}

// The bits of the nodes are in the order of their addresses: how many are before it says which one
// a node is.
void HeapVisitor::sort_nodes() {
  for (const HeapIndex::OwnedTable& table : index_.tables_)
    seen_.clear(*image_.region_at(table.start), table.start);
  std::vector<std::uint64_t> in_use((image_.pages() + 63) / 64);
  for (const HeapIndex::Node& node : index_.nodes_) {
    const std::uint64_t page =
        image::AddressBits::page_of(*image_.region_at(node.address), node.address);
    in_use[page / 64] |= std::uint64_t{1} << page % 64;
  }
  LazyArray<std::uint32_t> before_page(image_.pages());
  std::uint32_t before = 0;
  for_each_bit(in_use, [&](std::uint64_t page) {
    before_page[page] = before;
    before += seen_.count_in_page(page);
  });
  index_.by_address_.resize(index_.nodes_.size());
  for (std::uint32_t i = 0; i < index_.nodes_.size(); ++i) {
    const std::uint64_t address = index_.nodes_[i].address;
    const image::MemoryImage::Region& region = *image_.region_at(address);
    index_.by_address_[before_page[image::AddressBits::page_of(region, address)] +
                       seen_.count_before(region, address)] = i;
  }
}

void HeapIndex::walk(const TypeTable& types, const Runtime& runtime) {
  const Layout& layout = types.layout();
  HeapVisitor visitor(*this, types, runtime);
  visitor.root(Edge::SysModules, 0, runtime.modules);
  visitor.follow_all();
  visitor.threads();
  visitor.follow();
  visitor.follow_classes();
  visitor.words(Edge::Interpreter, runtime.interpreter,
                runtime.interpreter + layout.interpreter.size);
  visitor.follow();
  visitor.follow_classes();
  visitor.follow_words();
  if (layout.runtime.static_objects != kAbsent)
    for (std::uint64_t at = runtime.address + layout.runtime.static_objects;
         at < runtime.address + layout.runtime.size; at += 16)
      visitor.root(Edge::Static, 0, at);
  for (const image::MemoryImage::Region& region : types.image().regions())
    if (region.writable && (region.module != nullptr || region.start == runtime.module_end))
      visitor.words(Edge::Static, region.start, region.end);
  visitor.follow();
  visitor.gc_lists();
  visitor.follow();
  visitor.follow_classes();
  visitor.follow_words();
  types.image().forget(0);
  visitor.sort_nodes();
}

std::size_t HeapIndex::first_from(std::uint64_t address) const {
  const auto found = std::lower_bound(
      by_address_.begin(), by_address_.end(), address,
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
  const auto behind = std::upper_bound(
      tables_.begin(), tables_.end(), address,
      [](std::uint64_t value, const OwnedTable& table) { return value < table.start; });
  if (behind == tables_.begin()) return nullptr;
  const OwnedTable& table = *std::prev(behind);
  return address < table.end ? &table : nullptr;
}

std::size_t HeapIndex::bytes_used() const {
  return nodes_.size() * sizeof(Node) + tables_.size() * sizeof(OwnedTable) +
         by_address_.size() * sizeof(std::uint32_t);
}

}  // namespace cowtrace::python
