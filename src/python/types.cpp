// SPDX-License-Identifier: Apache-2.0
#include "python/types.h"

#include <algorithm>

namespace cowtrace::python {
namespace {

constexpr int kLongestMetatypeChain = 6;
constexpr int kLongestBaseChain = 64;
constexpr std::size_t kLongestName = 300;
constexpr std::size_t kMostMembers = 512;
constexpr std::size_t kMostTypes = 200'000;
constexpr std::uint64_t kMostWork =
    200'000'000;  // characters of names, fields and bases, for all types together
constexpr std::uint64_t kMostItems = std::uint64_t{1} << 40;
constexpr std::uint32_t kMostSlots = 65536;  // of a frame

struct NamedKind {
  std::string_view name;
  Kind kind;
};
// By tp_name of a static type, or of a heap type that C code made (its name has a dot).
constexpr NamedKind kNamedKinds[] = {
    {"set", Kind::Set},
    {"frozenset", Kind::Set},
    {"module", Kind::Module},
    {"function", Kind::Function},
    {"cell", Kind::Cell},
    {"method", Kind::Method},
    {"builtin_function_or_method", Kind::BuiltinFunction},
    {"code", Kind::Code},
    {"frame", Kind::Frame},
    {"generator", Kind::Generator},
    {"coroutine", Kind::Generator},
    {"async_generator", Kind::Generator},
    {"weakref", Kind::Weakref},
    {"weakref.ReferenceType", Kind::Weakref},
    {"weakproxy", Kind::Weakref},
    {"weakref.ProxyType", Kind::Weakref},
    {"weakcallableproxy", Kind::Weakref},
    {"weakref.CallableProxyType", Kind::Weakref},
    {"bytearray", Kind::ByteArray},
    {"float", Kind::Float},
    {"complex", Kind::Complex},
    {"collections.deque", Kind::Deque},
    {"NoneType", Kind::None},
};

}  // namespace

std::string read_name(const image::MemoryImage& image, std::uint64_t address, std::size_t limit) {
  std::string name;
  if (address == 0) return name;
  const image::MemoryImage::Region* region = image.region_at(address);
  if (region == nullptr) return name;
  limit = std::min<std::uint64_t>(limit, region->end - address);
  for (std::size_t i = 0; i < limit; ++i) {
    const char c = image.load<char>(address + i);
    if (c == '\0') return name;
    if (c < 0x20 || c > 0x7e) return {};
    name.push_back(c);
  }
  return {};
}

const Type::Member* Type::member_at(std::uint64_t offset) const {
  const auto found =
      std::lower_bound(members.begin(), members.end(), offset,
                       [](const Member& member, std::uint64_t at) { return member.offset < at; });
  return found != members.end() && found->offset == offset ? &*found : nullptr;
}

TypeTable::TypeTable(const image::MemoryImage& image, const Layout& layout, std::uint64_t type_type)
    : image_(image), layout_(layout), type_type_(type_type), work_left_(kMostWork) {}

bool TypeTable::is_type(std::uint64_t address) const {
  std::uint64_t meta = address;
  for (int step = 0; step < kLongestMetatypeChain; ++step) {
    if (meta == 0 || meta % 8 != 0) return false;
    meta = image_.word(meta + layout_.object.type);
    if (meta == type_type_) return true;
  }
  return false;
}

const Type* TypeTable::find_slowly(std::uint64_t address) const {
  const Type* type = nullptr;
  if (const auto known = types_.find(address); known != types_.end()) {
    type = known->second.get();
  } else if (types_.size() < kMostTypes && is_type(address)) {
    if (auto read_now = read(address)) {
      read_now->number = static_cast<std::uint32_t>(types_.size());
      type = types_.emplace(address, std::move(read_now)).first->second.get();
    }
  }
  cache_[address / 16 % cache_.size()] = {address, type};
  return type;
}

// What a type claims of its bases and members may be as long for each of very many types.
std::string TypeTable::spend_name(std::uint64_t address) const {
  std::string name = read_name(image_, address, kLongestName);
  work_left_ -= std::min<std::uint64_t>(work_left_, name.empty() ? kLongestName : name.size() + 8);
  return name;
}

std::unique_ptr<Type> TypeTable::read(std::uint64_t address) const {
  const auto& at = layout_.type;
  const std::uint64_t basicsize = image_.word(address + at.basicsize);
  const std::uint64_t itemsize = image_.word(address + at.itemsize);
  if (basicsize < 16 || basicsize > 64 * 1024 || itemsize > 64 * 1024 || work_left_ == 0)
    return nullptr;
  auto type = std::make_unique<Type>();
  type->address = address;
  type->name = spend_name(image_.word(address + at.name));
  if (type->name.empty()) {
    // A class may be called by any text: it is still a type.
    const std::uint64_t name = image_.word(address + at.name);
    if (name == 0 || !image_.has(name, 1)) return nullptr;
    type->name.assign(1, '?');
  }
  type->basicsize = static_cast<std::uint32_t>(basicsize);
  type->itemsize = static_cast<std::uint32_t>(itemsize);
  type->flags = image_.word(address + at.flags);
  type->base = image_.word(address + at.base);
  type->dictoffset = image_.load<std::int64_t>(address + at.dictoffset);
  type->weaklistoffset = image_.load<std::int64_t>(address + at.weaklistoffset);
  const bool managed = layout_.version >= Version{3, 11} && (type->flags & kManagedDict) != 0;
  const bool weakref = layout_.version >= Version{3, 12} && (type->flags & kManagedWeakref) != 0;
  type->before = (type->gc() ? 16 : 0) + (managed || weakref ? 16 : 0);
  type->kind = kind_of(*type);
  if (type->heap() && layout_.heap_type.cached_keys != kAbsent)
    type->cached_keys = image_.word(address + layout_.heap_type.cached_keys);
  read_members(*type);
  return type;
}

Kind TypeTable::kind_of(const Type& type) const {
  constexpr std::pair<int, Kind> kSubclassBits[] = {
      {24, Kind::Integer}, {25, Kind::List}, {26, Kind::Tuple}, {27, Kind::Bytes},
      {28, Kind::Text},    {29, Kind::Dict}, {31, Kind::Type}};
  for (const auto& [bit, kind] : kSubclassBits)
    if ((type.flags >> bit & 1) != 0) return kind;
  std::uint64_t at = type.address;
  for (int step = 0; step < kLongestBaseChain && at != 0 && work_left_ > 0; ++step) {
    const std::string name =
        at == type.address ? type.name : spend_name(image_.word(at + layout_.type.name));
    const bool heap = (image_.word(at + layout_.type.flags) & kHeapType) != 0;
    if (!heap || name.find('.') != std::string::npos)
      for (const NamedKind& named : kNamedKinds)
        if (named.name == name) return named.kind;
    at = image_.word(at + layout_.type.base);
  }
  return Kind::Other;
}

void TypeTable::read_members(Type& type) const {
  const auto& member = layout_.member;
  std::uint64_t of = type.address;
  std::size_t seen = 0;
  for (int step = 0; step < kLongestBaseChain && of != 0 && work_left_ > 0; ++step) {
    std::uint64_t at = image_.word(of + layout_.type.members);
    for (; at != 0 && seen < kMostMembers && work_left_ > 0;
         ++seen, --work_left_, at += static_cast<std::uint64_t>(member.size)) {
      const std::uint64_t name = image_.word(at + member.name);
      if (name == 0) break;
      const int kind = image_.load<int>(at + member.type);
      const std::uint64_t offset = image_.word(at + member.offset);
      // The members of a type describe its instances, which are types and have fields of their own.
      if ((kind != member.object && kind != member.object_ex) || offset < 16 ||
          offset > type.basicsize || type.basicsize - offset < 8)
        continue;
      std::string text = spend_name(name);
      if (work_left_ == 0) break;
      if (text.empty() || text == "__dict__") continue;
      type.members.push_back({static_cast<std::uint32_t>(offset), std::move(text)});
    }
    of = image_.word(of + layout_.type.base);
  }
  // What a subclass calls it goes before what its base does.
  std::stable_sort(type.members.begin(), type.members.end(),
                   [](const auto& a, const auto& b) { return a.offset < b.offset; });
  type.members.erase(std::unique(type.members.begin(), type.members.end(),
                                 [](const auto& a, const auto& b) { return a.offset == b.offset; }),
                     type.members.end());
}

// C module state imitates objects: without this it would be taken for some.
bool TypeTable::sane_refcount(std::uint64_t object) const {
  const std::uint64_t count = image_.word(object + layout_.object.refcnt);
  if (layout_.version < Version{3, 12}) return count > 0 && count < std::uint64_t{1} << 40;
  if (layout_.version < Version{3, 14}) return count > 0 && count >> 32 == 0;
  return static_cast<std::uint32_t>(count) != 0;
}

const Type* TypeTable::type_of(std::uint64_t object) const {
  if (object == 0 || object % 8 != 0 || !image_.has(object, 16)) return nullptr;
  if (!sane_refcount(object)) return nullptr;
  return find(image_.word(object + layout_.object.type));
}

std::uint64_t TypeTable::size_of(std::uint64_t object, const Type& type) const {
  const image::MemoryImage::Region* region = image_.region_at(object);
  return std::min(claimed_size_of(object, type), region != nullptr ? region->end - object : 0);
}

std::optional<OwnFrame> TypeTable::own_frame(std::uint64_t object, const Type& type) const {
  const Offset at =
      type.kind == Kind::Generator ? layout_.generator.own_frame : layout_.frame.own_frame;
  if (at == kAbsent) return std::nullopt;
  const std::uint64_t frame = object + static_cast<std::uint64_t>(at);
  // That of a function that still runs is on the thread's stack.
  if (type.kind == Kind::Frame &&
      image_.word(object + static_cast<std::uint64_t>(layout_.frame.frame)) != frame)
    return std::nullopt;
  const std::uint64_t code =
      image_.word(frame + static_cast<std::uint64_t>(layout_.interpreter_frame.executable)) &
      ~std::uint64_t{7};
  const Type* of_code = type_of(code);
  if (of_code == nullptr || of_code->kind != Kind::Code) return std::nullopt;
  OwnFrame found;
  found.code = code;
  found.slots = frame + static_cast<std::uint64_t>(layout_.interpreter_frame.localsplus);
  found.locals =
      image_.load<std::uint32_t>(code + static_cast<std::uint64_t>(layout_.code.nlocalsplus));
  found.stack =
      image_.load<std::uint32_t>(code + static_cast<std::uint64_t>(layout_.code.stacksize));
  if (found.locals > kMostSlots || found.stack > kMostSlots) return std::nullopt;
  return found;
}

std::uint64_t TypeTable::claimed_size_of(std::uint64_t object, const Type& type) const {
  const auto count = [&] { return image_.word(object + layout_.object.var_size); };
  switch (type.kind) {
    case Kind::Text: {
      const std::uint64_t state = image_.load<std::uint32_t>(object + layout_.unicode.state);
      const std::uint64_t length = image_.word(object + layout_.unicode.length);
      if ((state >> layout_.unicode.compact_shift & 1) == 0 || type.heap() || length > kMostItems)
        return type.basicsize;
      const std::uint64_t width = state >> layout_.unicode.kind_shift & 7;
      const bool ascii = (state >> layout_.unicode.ascii_shift & 1) != 0;
      const auto header = static_cast<std::uint64_t>(ascii ? layout_.unicode.ascii_size
                                                           : layout_.unicode.compact_size);
      return header + (length + 1) * (ascii ? 1 : width);
    }
    case Kind::Integer: {
      const std::uint64_t claimed = layout_.integer.tag != kAbsent
                                        ? image_.word(object + layout_.integer.tag) >> 3
                                        : magnitude(count());
      const std::uint64_t digits = claimed > kMostItems ? 0 : claimed;
      return std::max<std::uint64_t>(
          type.heap() ? type.basicsize : 28,
          static_cast<std::uint64_t>(layout_.integer.digits) + digits * 4);
    }
    case Kind::Type:
      if (!type.itemsize) return type.basicsize;
      // Static types are PyTypeObjects only.
      if ((image_.word(object + layout_.type.flags) & kHeapType) == 0)
        return static_cast<std::uint64_t>(layout_.type.size);
      break;
    case Kind::Generator:
    case Kind::Frame:
      if (const auto frame = own_frame(object, type))
        return frame->slots - object + (std::uint64_t{frame->locals} + frame->stack) * 8;
      // From 3.11 on there are items, and no count of them.
      if (layout_.interpreter_frame.executable != kAbsent) return type.basicsize;
      break;
    default:
      break;
  }
  if (type.itemsize == 0) return type.basicsize;
  const std::uint64_t many = magnitude(count());
  if (many > kMostItems) return type.basicsize;
  return type.basicsize + many * type.itemsize;
}

}  // namespace cowtrace::python
