// SPDX-License-Identifier: Apache-2.0
// The tables of a trace file that other messages refer to by number: objects, named stack frames,
// and lists of numbers. All numbers begin at 1; 0 is nothing.
#pragma once

#include <trace.pb.h>

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "model/objects.h"
#include "trace/allowance.h"
#include "trace/strings.h"

namespace cowtrace::trace {

void put(const model::Object& object, StringTable& strings, Block& block);
void put(const model::StackFrame& frame, StringTable& strings, Block& block);
void put(const std::vector<std::uint32_t>& list, Lists& to);

// What was read of them, which is untrusted.
class Tables {
 public:
  // False: the block contradicts itself, or would take more memory than `allowance` has left.
  [[nodiscard]] bool take(const Block& block, const StringTable& strings, Allowance& allowance);

  // Whether there is such an object, and such a list that holds numbers of objects, or 0.
  [[nodiscard]] bool has_object(std::uint32_t number) const { return number <= objects.size(); }
  [[nodiscard]] bool is_object_list(std::uint32_t list) const {
    return list <= lists.size() && (list == 0 || facts_[list - 1].largest <= objects.size());
  }
  // The functions of an instruction: takes from `allowance` what they need in memory. `list`
  // becomes 0 if they are too many to be true. False: there is no such list, it holds other numbers
  // than those of stack frames, or they need more than is left.
  [[nodiscard]] bool take_functions(std::uint32_t& list, Allowance& allowance);

  std::deque<model::Object> objects;
  std::deque<model::StackFrame> frames;
  std::vector<std::vector<std::uint32_t>> lists;

 private:
  // What is in a list: known once, for any number of messages may refer to it.
  struct ListFacts {
    std::uint32_t smallest = UINT32_MAX, largest = 0;
  };
  [[nodiscard]] bool take(const Lists& from);

  std::vector<ListFacts> facts_;  // of each list
  std::unordered_map<std::uint32_t, std::uint64_t>
      frames_size_;  // bytes of the stack frames in a list, by its number
};

}  // namespace cowtrace::trace
