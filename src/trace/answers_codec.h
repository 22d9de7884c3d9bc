// SPDX-License-Identifier: Apache-2.0
// Answers as messages of a trace file, and back.
#pragma once

#include <trace.pb.h>

#include <functional>

#include "trace/answers.h"
#include "trace/strings.h"

namespace cowtrace::trace {

// Puts all of `answers` into blocks; `full` is called with each, to write and clear it, before it becomes too large, and with the last.
void put_answers(const Answers& answers, StringTable& strings, const std::function<void(Block&)>& full);

// Takes answers in, block by block. What is read is untrusted.
class AnswersDecoder {
 public:
  // `strings` has taken the block in already. False: it contradicts itself, or names a number that no block had until then.
  [[nodiscard]] bool take(const Block& block, const StringTable& strings);
  // Everything, when all blocks were taken.
  [[nodiscard]] Answers take();

 private:
  enum class Kind { Writes, ObjectLists, FrameLists, Sizes };
  bool take_lists(const Lists& lists);
  bool take_table(const AnswerRows& from, Kind kind, const StringTable& strings, AnswerTable& to);
  [[nodiscard]] bool is_list_of(std::uint32_t number, std::size_t most) const;

  Answers answers_;
  std::vector<std::uint32_t> largest_;  // number in each list
  std::unordered_map<std::uint32_t, std::uint32_t> fields_;  // number by that of its string
};

}  // namespace cowtrace::trace
