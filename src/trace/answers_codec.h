// SPDX-License-Identifier: Apache-2.0
// Answers as messages of a trace file, and back.
#pragma once

#include <trace.pb.h>

#include <functional>

#include "trace/allowance.h"
#include "trace/answers.h"
#include "trace/strings.h"

namespace cowtrace::trace {

// Puts all of `answers` into blocks; `full` is called with each, to write and clear it, before it becomes too large, and with the last.
void put_answers(const Answers& answers, StringTable& strings, const std::function<void(Block&)>& full);

// Takes answers in, block by block. What is read is untrusted.
class AnswersDecoder {
 public:
  // `strings` has taken the block in already. False: it contradicts itself, names a number that no block had until then, or would take more
  // memory than `allowance` has left.
  [[nodiscard]] bool take(const Block& block, const StringTable& strings, Allowance& allowance);
  // Everything, when all blocks were taken.
  [[nodiscard]] Answers take();

 private:
  enum class Kind { Writes, ObjectLists, FrameLists, Sizes };
  // What is in a list: known once, for it may be the answer to any number of questions.
  struct ListFacts {
    std::uint32_t smallest = UINT32_MAX, largest = 0;
  };
  bool take_objects(const Block& block, const StringTable& strings, Allowance& allowance);
  bool take_lists(const Lists& lists);
  bool take_table(const AnswerRows& from, Kind kind, const StringTable& strings, Allowance& allowance, AnswerTable& to);
  [[nodiscard]] bool take_answer(Kind kind, std::uint32_t& number, Allowance& allowance);

  Answers answers_;
  bool says_since_when_ = true;   // each answer holds
  std::vector<ListFacts> facts_;  // of each list
  std::unordered_map<std::uint32_t, std::uint64_t> frames_size_;  // bytes of the stack frames in a list, by its number
  std::unordered_map<std::uint32_t, std::uint32_t> fields_;  // number by that of its string
};

}  // namespace cowtrace::trace
