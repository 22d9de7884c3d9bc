// SPDX-License-Identifier: Apache-2.0
// The types of one interpreter, each read and checked once: how large their instances are, what
// lies before them, and what refers to other objects.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "image/memory_image.h"
#include "python/layout.h"

namespace cowtrace::python {

// How an instance is laid out, as far as it matters here. Subclasses have the kind of their base.
enum class Kind : std::uint8_t {
  Other,
  Type,
  Dict,
  List,
  Tuple,
  Set,
  Text,
  Bytes,
  ByteArray,
  Integer,
  Float,
  Complex,
  Module,
  Function,
  Cell,
  Method,
  BuiltinFunction,
  Code,
  Frame,
  Generator,
  Weakref,
  Deque,
  None,
  Bool
};

// tp_flags (Include/object.h; 3.8 to 3.15 agree but for the three that are named with a version).
inline constexpr std::uint64_t kInlineValues = 1 << 2;    // 3.13 and later
inline constexpr std::uint64_t kManagedWeakref = 1 << 3;  // 3.12 and later
inline constexpr std::uint64_t kManagedDict = 1 << 4;     // 3.11 and later
inline constexpr std::uint64_t kHeapType = 1 << 9;
inline constexpr std::uint64_t kHaveGc = 1 << 14;

struct Type {
  // A reference that C code declares to Python: PyMemberDef of T_OBJECT or T_OBJECT_EX, __slots__
  // among them.
  struct Member {
    std::uint32_t offset = 0;
    std::string name;  // untrusted
  };
  std::uint64_t address = 0;
  std::uint32_t number = 0;  // from 0 on, in the order in which they were met
  std::string name;          // tp_name, untrusted
  std::uint64_t flags = 0;
  std::uint64_t base = 0;
  std::uint64_t cached_keys = 0;  // of a heap type whose instances share keys; 0: none
  std::int64_t dictoffset = 0, weaklistoffset = 0;
  std::uint32_t basicsize = 0, itemsize = 0;
  std::uint32_t before = 0;  // bytes between the beginning of the block and the object
  Kind kind = Kind::Other;
  std::vector<Member> members;  // of itself and of its bases, ascending

  // The member at exactly this offset; nullptr: none.
  [[nodiscard]] const Member* member_at(std::uint64_t offset) const;
  [[nodiscard]] bool heap() const { return (flags & kHeapType) != 0; }
  [[nodiscard]] bool gc() const { return (flags & kHaveGc) != 0; }
};

// The _PyInterpreterFrame inside a generator, or inside a frame object whose function has ended
// (3.11 and later).
struct OwnFrame {
  std::uint64_t code = 0;
  std::uint64_t slots = 0;  // address of localsplus: the variables, then the value stack
  std::uint32_t locals = 0, stack = 0;  // slots of each
};

class TypeTable {
 public:
  // `type_type`: the address of PyType_Type, already checked.
  TypeTable(const image::MemoryImage& image, const Layout& layout, std::uint64_t type_type);

  // nullptr if there is no sane type at `address`. Pointers stay valid.
  [[nodiscard]] const Type* find(std::uint64_t address) const {
    Cached& cached = cache_[address / 16 % cache_.size()];
    if (cached.address == address) return cached.type;
    return find_slowly(address);
  }
  // The type of a sane object at `object`; nullptr if there is none.
  [[nodiscard]] const Type* type_of(std::uint64_t object) const;

  [[nodiscard]] std::uint64_t type_type() const { return type_type_; }
  [[nodiscard]] const image::MemoryImage& image() const { return image_; }
  [[nodiscard]] const Layout& layout() const { return layout_; }

  // Bytes of the object itself, from its address on, without what lies before it. No more than the
  // image has behind `object`.
  [[nodiscard]] std::uint64_t size_of(std::uint64_t object, const Type& type) const;
  [[nodiscard]] std::optional<OwnFrame> own_frame(std::uint64_t object, const Type& type) const;

 private:
  struct Cached {
    std::uint64_t address = 1;
    const Type* type = nullptr;
  };
  const Type* find_slowly(std::uint64_t address) const;
  [[nodiscard]] std::unique_ptr<Type> read(std::uint64_t address) const;
  [[nodiscard]] bool is_type(std::uint64_t address) const;
  [[nodiscard]] std::uint64_t claimed_size_of(std::uint64_t object, const Type& type) const;
  [[nodiscard]] Kind kind_of(const Type& type) const;
  [[nodiscard]] std::string spend_name(std::uint64_t address) const;
  void read_members(Type& type) const;
  [[nodiscard]] bool sane_refcount(std::uint64_t object) const;

  const image::MemoryImage& image_;
  const Layout& layout_;
  std::uint64_t type_type_;
  mutable std::unordered_map<std::uint64_t, std::unique_ptr<Type>>
      types_;  // what is none is not kept: any word may be asked for
  mutable std::uint64_t work_left_;
  mutable std::array<Cached, 512> cache_;
};

// Of ob_size and the like, where the sign says something else. INT64_MIN has no positive
// counterpart of its own type.
[[nodiscard]] inline std::uint64_t magnitude(std::uint64_t count) {
  return static_cast<std::int64_t>(count) < 0 ? 0 - count : count;
}

// A NUL-terminated string of at most `limit` printable ASCII bytes; empty if there is none.
[[nodiscard]] std::string read_name(const image::MemoryImage& image, std::uint64_t address,
                                    std::size_t limit);

}  // namespace cowtrace::python
