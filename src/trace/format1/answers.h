// SPDX-License-Identifier: Apache-2.0
// What a trace of format 1 holds in place of facts: the answers to all that reports asked about
// addresses. Numbers of objects and lists are those of Tables.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "model/objects.h"

namespace cowtrace::trace::format1 {

// What was asked. `second`: the end of a range, the instruction of a Python stack frame, whether it
// is a return address.
struct Question {
  model::SpaceId space;
  std::uint64_t address = 0;
  std::uint64_t second = 0;
  std::uint32_t owner = 0;  // of a Python stack frame
  friend constexpr auto operator<=>(const Question&, const Question&) = default;
};

// Numbers of objects, lists and the like; 0 is nothing.
struct Answer {
  std::uint32_t number = 0;
  std::uint32_t field = 0;
  model::Cause cause = model::Cause::Unknown;
  friend constexpr bool operator==(const Answer&, const Answer&) = default;
};

// Answers to one kind of question. What was answered at two moments, and nothing else in between,
// holds between them; at other moments nothing is known.
class AnswerTable {
 public:
  struct Row {
    Question question;
    std::uint64_t until_ns = 0;
    std::uint64_t from_ns = 0;
    Answer answer;
  };

  void note(const Question& question, std::uint64_t time_ns, const Answer& answer) {
    note({question, time_ns, time_ns, answer});
  }
  void note(const Row& row) {
    rows_.push_back(row);
    // The same is asked again and again.
    if (rows_.size() >= 2 * settled_ + kEnough) settle();
  }
  // Must be called before rows() and find(). The answers to one question at one moment are all the
  // same.
  void settle();
  // Ascending by question and time.
  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }
  // Of a file that does not say since when its answers hold: since the one before, and the last one
  // for ever.
  void hold_always();
  // nullptr: this was not asked. For one thread at a time.
  [[nodiscard]] const Answer* find(const Question& question, std::uint64_t time_ns) const;
  // The same for what hardly depends on the moment: where that one is not known, another will do.
  [[nodiscard]] const Answer* find_any(const Question& question, std::uint64_t time_ns) const;

 private:
  using Rows = std::vector<Row>;
  [[nodiscard]] Rows::const_iterator first_from(const Row& wanted) const;

  static constexpr std::size_t kEnough = 1 << 16;
  static constexpr std::size_t kMostOverlapping =
      16;  // of one question, where answers came out of order
  Rows rows_;
  std::size_t settled_ = 0;
  mutable std::size_t found_last_ = 0;  // where the last question led to
};

struct Answers {
  AnswerTable writes;               // object, field, cause
  AnswerTable ranges;               // list of objects
  AnswerTable native;               // list of frames
  AnswerTable python;               // list of frames
  AnswerTable store_sizes;          // size + 1
  std::vector<std::string> fields;  // by number, from 1 on
};

}  // namespace cowtrace::trace::format1
