// SPDX-License-Identifier: Apache-2.0
// The names of stack frames, by where they are in which address space.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/events.h"
#include "model/objects.h"

namespace cowtrace::model {

// Stack frames, innermost first, that StackNames owns. Equal stack frames are the same pointer.
using NamedStack = std::vector<const StackFrame*>;

class StackNames {
 public:
  struct Instruction {
    SpaceId space;
    std::uint64_t ip = 0;
    bool is_return_address = false;
    friend constexpr auto operator<=>(const Instruction&, const Instruction&) = default;
  };
  using Managed = std::pair<SpaceId, PythonFrame>;

  // The functions there, innermost first; inlined calls have stack frames of their own. What was
  // added first stays.
  const NamedStack& add(const Instruction& where, std::vector<StackFrame> functions) {
    return native_.try_emplace(where, keep(std::move(functions))).first->second;
  }
  // Empty: it has no name. What was added first stays, unless that was empty.
  const NamedStack& add(const Managed& where, std::vector<StackFrame> functions) {
    NamedStack& named = managed_[where];
    if (named.empty()) named = keep(std::move(functions));
    return named;
  }

  // All of them.
  [[nodiscard]] const auto& native() const { return native_; }
  [[nodiscard]] const auto& managed() const { return managed_; }

  // nullptr: not known.
  [[nodiscard]] const NamedStack* find(const Instruction& where) const {
    return find_in(native_, where);
  }
  [[nodiscard]] const NamedStack* find(const Managed& where) const {
    return find_in(managed_, where);
  }

 private:
  struct Hash {
    std::size_t operator()(const Instruction& where) const {
      // 2^64 / golden ratio.
      return (static_cast<std::size_t>(where.ip) * 2 + (where.is_return_address ? 1 : 0)) *
                 0x9e37'79b9'7f4a'7c15 ^
             where.space.value;
    }
  };

  template <typename Map>
  static const NamedStack* find_in(const Map& map, const typename Map::key_type& where) {
    const auto found = map.find(where);
    return found != map.end() ? &found->second : nullptr;
  }
  NamedStack keep(std::vector<StackFrame> functions) {
    NamedStack stack;
    stack.reserve(functions.size());
    for (StackFrame& function : functions)
      stack.push_back(&*functions_.insert(std::move(function)).first);
    return stack;
  }

  // Lines first: they differ most often, and cost least to compare.
  struct Before {
    bool operator()(const StackFrame& a, const StackFrame& b) const {
      const auto content = [](const StackFrame& frame) {
        return std::tie(frame.line, frame.function, frame.file, frame.module, frame.why_unnamed,
                        frame.inlined, frame.python, frame.interpreter, frame.not_code);
      };
      return content(a) < content(b);
    }
  };

  std::set<StackFrame, Before> functions_;
  std::unordered_map<Instruction, NamedStack, Hash> native_;
  std::map<Managed, NamedStack> managed_;
};

}  // namespace cowtrace::model
