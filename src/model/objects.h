// SPDX-License-Identifier: Apache-2.0
// What lives at an address, and what a stack frame is called: the values that resolvers give to the
// join.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/events.h"
#include "model/number_names.h"

namespace cowtrace::model {

// From the most specific to the least; the most specific that covers an address wins.
enum class ObjectKind : std::uint8_t { Registered, Python, Symbol, Mapping };
inline constexpr auto kKnownObjectKinds =
    std::to_array<std::string_view>({"registered", "python", "symbol", "mapping"});
inline constexpr std::size_t kObjectKinds = kKnownObjectKinds.size();
inline constexpr NumberNames kObjectKindNames = names_of_numbers(kKnownObjectKinds);
constexpr std::string_view name(ObjectKind kind) {
  return kObjectKindNames[static_cast<std::size_t>(kind)];
}

// A named address range [address, address + size) of one address space, alive in [born_ns,
// died_ns).
struct Object {
  ObjectKind kind = ObjectKind::Mapping;
  std::uint64_t address = 0;
  std::uint64_t size = 0;
  std::string name;  // untrusted
  std::string type;  // untrusted; empty if not known
  std::uint64_t born_ns = 0;
  std::uint64_t died_ns = UINT64_MAX;
  std::string group{};  // what it is called together with others of its kind, items of one
                        // container; untrusted; empty: nothing else
  // Python's None, small integers, static types and the like, which it has once for everybody: from
  // CPython 3.12 on nobody counts references to them.
  bool kept_by_interpreter = false;
  std::uint64_t group_items = 0;  // of the container that `group` speaks of; 0: not known
};

// What a write went to.
struct Write {
  const Object* object = nullptr;  // nullptr if only the mapping is known
  Cause cause = Cause::Unknown;
  std::string field;  // of the object, where it is known; untrusted
};

// One function of a stack; an inlined call is a stack frame of its own.
struct StackFrame {
  std::string function;  // demangled; "0x..." with `why_unnamed` set when no symbol covers it
  std::string file;      // empty if not known
  std::uint32_t line = 0;
  std::string module;  // the ELF file
  bool inlined = false;
  std::string why_unnamed;
  bool not_code = false;  // in no executable mapping: a walk by frame pointers has left the stack
  bool python = false;    // a Python function; `file` is its source, and there is no module
  bool interpreter = false;  // native, in the ELF file that holds the Python interpreter
};

// Everything the join asks about addresses. Implementations answer for the moment of the break,
// from what was captured while the process lived; they do not fail: what is not known is nullptr,
// empty or a frame with `why_unnamed`.
class Resolver {
 public:
  virtual ~Resolver() = default;

  // The reports are wanted now: from here on, what would take long to find out is not known. To be
  // called between two reports.
  virtual void hurry() {}

  // Ends the questions: returns what keeps the objects alive that were given out; nullptr: they
  // outlive the resolver anyway. Unless it is nullptr, nothing may be asked afterwards.
  [[nodiscard]] virtual std::shared_ptr<const void> finish() { return nullptr; }

  // The most specific object that covers `address` in `space` at `time_ns`; nullptr if only the
  // mapping is known. The pointer stays valid, and the same object gives the same pointer, as long
  // as the resolver lives.
  [[nodiscard]] virtual const Object* object_at(SpaceId space, std::uint64_t address,
                                                std::uint64_t time_ns) = 0;

  // The object of object_at(), and what kind of write goes to that address of it.
  [[nodiscard]] virtual Write write_at(SpaceId space, std::uint64_t address,
                                       std::uint64_t time_ns) {
    return {object_at(space, address, time_ns), Cause::Unknown, {}};
  }

  // All objects (not mappings) that overlap [start, end) in `space` at `time_ns`, ordered by
  // address.
  [[nodiscard]] virtual std::vector<const Object*> objects_in(SpaceId space, std::uint64_t start,
                                                              std::uint64_t end,
                                                              std::uint64_t time_ns) = 0;

  // The functions at an instruction pointer, innermost first, never empty. `is_return_address`:
  // look at the call before it.
  [[nodiscard]] virtual std::vector<StackFrame> frames_at(SpaceId space, std::uint64_t ip,
                                                          bool is_return_address,
                                                          std::uint64_t time_ns) = 0;

  // The function that holds the instruction at `ip`, as the symbol table of its file calls it;
  // empty if that is not known. Costs less than frames_at(), for no debug information is read.
  // Asked while a capture ends, never of a trace.
  [[nodiscard]] virtual std::string function_at(SpaceId, std::uint64_t /*ip*/,
                                                bool /*is_return_address*/) {
    return {};
  }

  // The function of a Python stack frame; none if it cannot be named, or is none of the program's
  // own (an entry frame of the interpreter).
  [[nodiscard]] virtual std::vector<StackFrame> python_frames(SpaceId, const PythonFrame&,
                                                              std::uint64_t /*time_ns*/) {
    return {};
  }

  // Bytes that the instruction at `ip` stores to memory; none if it cannot be read or does not
  // tell.
  [[nodiscard]] virtual std::optional<std::uint32_t> store_size_at(SpaceId, std::uint64_t /*ip*/) {
    return std::nullopt;
  }
};

}  // namespace cowtrace::model
