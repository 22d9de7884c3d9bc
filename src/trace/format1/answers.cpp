// SPDX-License-Identifier: Apache-2.0
#include "trace/format1/answers.h"

namespace cowtrace::trace::format1 {
namespace {

bool before(const AnswerTable::Row& a, const AnswerTable::Row& b) {
  return std::tie(a.question, a.until_ns) < std::tie(b.question, b.until_ns);
}

}  // namespace

void AnswerTable::settle() {
  if (!std::is_sorted(rows_.begin(), rows_.end(), before))
    std::sort(rows_.begin(), rows_.end(), before);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const bool goes_on = kept != 0 && rows_[kept - 1].question == rows_[i].question &&
                         rows_[kept - 1].answer == rows_[i].answer;
    const std::uint64_t from_ns =
        goes_on ? std::min(rows_[kept - 1].from_ns, rows_[i].from_ns) : rows_[i].from_ns;
    if (!goes_on) ++kept;
    rows_[kept - 1] = rows_[i];
    rows_[kept - 1].from_ns = from_ns;
  }
  rows_.resize(kept);
  settled_ = kept;
}

// Reports ask in the order of addresses, so that what is asked next is mostly close behind what was
// found last.
AnswerTable::Rows::const_iterator AnswerTable::first_from(const Row& wanted) const {
  const auto at =
      rows_.begin() + static_cast<Rows::difference_type>(std::min(found_last_, rows_.size()));
  if (at == rows_.end() || !before(*at, wanted))
    return std::lower_bound(rows_.begin(), at, wanted, before);
  auto low = at;
  Rows::difference_type step = 1;
  while (step < rows_.end() - low && before(low[step], wanted)) {
    low += step;
    step *= 2;
  }
  return std::lower_bound(low, low + std::min(step, rows_.end() - low), wanted, before);
}

void AnswerTable::hold_always() {
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const bool is_first = i == 0 || rows_[i - 1].question != rows_[i].question;
    const bool is_last = i + 1 == rows_.size() || rows_[i + 1].question != rows_[i].question;
    rows_[i].from_ns = is_first ? 0 : rows_[i - 1].until_ns;
    if (is_last) rows_[i].until_ns = UINT64_MAX;
  }
}

const Answer* AnswerTable::find(const Question& question, std::uint64_t time_ns) const {
  auto found = first_from({question, time_ns, time_ns, {}});
  found_last_ = static_cast<std::size_t>(found - rows_.begin());
  for (std::size_t i = 0;
       i < kMostOverlapping && found != rows_.end() && found->question == question; ++i, ++found)
    if (found->from_ns <= time_ns) return &found->answer;
  return nullptr;
}

const Answer* AnswerTable::find_any(const Question& question, std::uint64_t time_ns) const {
  if (const Answer* then = find(question, time_ns); then != nullptr) return then;
  const auto found = first_from({question, 0, 0, {}});
  return found != rows_.end() && found->question == question ? &found->answer : nullptr;
}

}  // namespace cowtrace::trace::format1
