// SPDX-License-Identifier: Apache-2.0
#include "trace/answers.h"

namespace cowtrace::trace {
namespace {

bool before(const AnswerTable::Row& a, const AnswerTable::Row& b) {
  return std::tie(a.question, a.until_ns) < std::tie(b.question, b.until_ns);
}

}  // namespace

void AnswerTable::settle() {
  std::sort(rows_.begin(), rows_.end(), before);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const bool goes_on = kept != 0 && rows_[kept - 1].question == rows_[i].question && rows_[kept - 1].answer == rows_[i].answer;
    if (!goes_on) ++kept;
    rows_[kept - 1] = rows_[i];
  }
  rows_.resize(kept);
  settled_ = kept;
}

const Answer* AnswerTable::find(const Question& question, std::uint64_t time_ns) const {
  const auto found = std::lower_bound(rows_.begin(), rows_.end(), Row{question, time_ns, {}}, before);
  if (found != rows_.end() && found->question == question) return &found->answer;
  if (found == rows_.begin() || std::prev(found)->question != question) return nullptr;
  return &std::prev(found)->answer;
}

}  // namespace cowtrace::trace
