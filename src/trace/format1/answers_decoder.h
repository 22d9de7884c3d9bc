// SPDX-License-Identifier: Apache-2.0
// Reads the answers of a trace of format 1.
#pragma once

#include <trace.pb.h>

#include <cstdint>
#include <unordered_map>

#include "trace/allowance.h"
#include "trace/format1/answers.h"
#include "trace/strings.h"
#include "trace/table_codec.h"

namespace cowtrace::trace::format1 {

// Takes answers in, block by block. What is read is untrusted.
class AnswersDecoder {
 public:
  // `strings` and `tables` have taken the block in already. False: it contradicts itself, names a
  // number that no block had until then, or would take more memory than `allowance` has left.
  [[nodiscard]] bool take(const Block& block, const StringTable& strings, Tables& tables,
                          Allowance& allowance);
  // Everything, when all blocks were taken.
  [[nodiscard]] Answers take();

 private:
  enum class Kind { Writes, ObjectLists, FrameLists, Sizes };
  bool take_table(const AnswerRows& from, Kind kind, const StringTable& strings, Tables& tables,
                  Allowance& allowance, AnswerTable& to);
  [[nodiscard]] static bool take_answer(Kind kind, std::uint32_t& number, Tables& tables,
                                        Allowance& allowance);

  Answers answers_;
  bool says_since_when_ = true;                              // each answer holds
  std::unordered_map<std::uint32_t, std::uint32_t> fields_;  // number by that of its string
};

}  // namespace cowtrace::trace::format1
