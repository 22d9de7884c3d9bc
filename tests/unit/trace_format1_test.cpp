// SPDX-License-Identifier: Apache-2.0
// Traces of format 1, whose facts are made when they are read: from answers that held for some
// time.
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <tuple>

#include "analysis/join.h"
#include "report/formats.h"
#include "support/golden.h"
#include "trace/format1/answers.h"
#include "trace/reader.h"

namespace cowtrace {
namespace {

std::string rendered(const std::string& name, std::string_view format) {
  const auto trace = trace::read_file(std::string(COWTRACE_TEST_DATA) +
                                      "/fuzz/corpus/files/format1-" + name + ".cow");
  EXPECT_TRUE(trace) << trace.error().message();
  if (!trace) return {};
  report::ReportOptions options;
  options.version = "0.0.0-test";
  std::ostringstream out;
  EXPECT_TRUE((*report::format_named(format))
                  ->write(analysis::join(*trace->session, trace->facts), options, out));
  return out.str();
}

// The golden files are what the program that wrote the traces said of them.
TEST(TraceFormat1, IsStillRead) {
  for (const char* name : {"counts", "exec", "grandchild", "huge", "incomplete", "mutate", "python",
                           "vfork", "watch", "writer"})
    test::expect_golden("format1/" + std::string(name) + ".txt", rendered(name, "text"));
  test::expect_golden("format1/counts.json", rendered("counts", "json"));
  test::expect_golden("format1/vfork.json", rendered("vfork", "json"));
  test::expect_golden("format1/mutate.jsonl", rendered("mutate", "jsonl"));
}

// No answer is made up from what was answered at another moment.
TEST(TraceFormat1, WhatWasNotAskedIsNotKnown) {
  trace::format1::AnswerTable table;
  const trace::format1::Question question{model::SpaceId(1), 0x1000};
  const trace::format1::Answer one{1, 0, model::Cause::Value}, two{2, 0, model::Cause::Refcount};
  for (const std::uint64_t time_ns : {10, 20, 40}) table.note(question, time_ns, one);
  table.note(question, 60, two);
  table.settle();
  ASSERT_EQ(table.rows().size(), 2U);
  for (const std::uint64_t time_ns : {9, 41, 59, 61})
    EXPECT_EQ(table.find(question, time_ns), nullptr) << time_ns;
  for (const std::uint64_t time_ns : {10, 15, 40})
    EXPECT_EQ(table.find(question, time_ns)->number, 1U) << time_ns;
  EXPECT_EQ(table.find(question, 60)->number, 2U);
  EXPECT_EQ(table.find({model::SpaceId(2), 0x1000}, 10), nullptr);
  // Something else in between, told later.
  table.note(question, 30, two);
  table.settle();
  EXPECT_EQ(table.find(question, 30)->number, 2U);
  for (const std::uint64_t time_ns : {10, 29, 31, 40})
    EXPECT_EQ(table.find(question, time_ns)->number, 1U) << time_ns;
  // Files of before do not say since when: their answers go on.
  table.hold_always();
  EXPECT_EQ(table.find(question, 9)->number, 2U);
  EXPECT_EQ(table.find(question, 1000)->number, 2U);
}

// Against what was noted, asked at every moment and between.
TEST(TraceFormat1, AnswersHoldUntilAnotherWasGiven) {
  trace::format1::AnswerTable table;
  const trace::format1::Question one{model::SpaceId(1), 0x1000}, other{model::SpaceId(1), 0x1008};
  for (const auto& [time, number] :
       {std::pair(10, 1), std::pair(20, 1), std::pair(30, 2), std::pair(40, 1), std::pair(20, 1)})
    table.note(one, static_cast<std::uint64_t>(time), {static_cast<std::uint32_t>(number)});
  table.note(other, 15, {9});
  table.settle();
  EXPECT_EQ(table.rows().size(), 4U);  // 1 from 10 until 20, 2 at 30, 1 at 40; 9
  const auto number_at = [&](const trace::format1::Question& question, std::uint64_t time) {
    const trace::format1::Answer* const answer = table.find(question, time);
    return answer != nullptr ? answer->number : 0;
  };
  for (const auto& [time, number] :
       {std::pair(9, 0), std::pair(10, 1), std::pair(15, 1), std::pair(20, 1), std::pair(21, 0),
        std::pair(30, 2), std::pair(31, 0), std::pair(40, 1), std::pair(99, 0)})
    EXPECT_EQ(number_at(one, static_cast<std::uint64_t>(time)), static_cast<std::uint32_t>(number))
        << time;
  EXPECT_EQ(number_at(other, 15), 9U);
  EXPECT_EQ(number_at(other, 16), 0U);
  // As files are read that do not say since when.
  table.hold_always();
  for (const auto& [time, number] :
       {std::pair(0, 1), std::pair(10, 1), std::pair(20, 1), std::pair(21, 2), std::pair(30, 2),
        std::pair(40, 1), std::pair(99, 1)})
    EXPECT_EQ(number_at(one, static_cast<std::uint64_t>(time)), static_cast<std::uint32_t>(number))
        << time;
  EXPECT_EQ(number_at(other, 0), 9U);
  EXPECT_EQ(number_at(other, 100), 9U);
  EXPECT_EQ(table.find({model::SpaceId(1), 0x1004}, 10), nullptr);
  EXPECT_EQ(table.find({model::SpaceId(2), 0x1000}, 10), nullptr);
}

// Where the last question led to changes no answer: ascending, descending and from anywhere to
// anywhere.
TEST(TraceFormat1, AnswersInAnyOrder) {
  trace::format1::AnswerTable table;
  constexpr std::uint32_t kQuestions = 100;
  const auto question = [](std::uint32_t i) {
    return trace::format1::Question{model::SpaceId(1 + i / 50), i * 0x1000ULL};
  };
  for (std::uint32_t i = 0; i < kQuestions; i += 2) table.note(question(i), 10, {i});
  table.settle();
  for (std::uint32_t from = 0; from < kQuestions; ++from)
    for (std::uint32_t to = 0; to < kQuestions; ++to) {
      static_cast<void>(table.find(question(from), 10));
      const trace::format1::Answer* const answer = table.find(question(to), 10);
      ASSERT_EQ(answer != nullptr, to % 2 == 0) << from << " to " << to;
      if (answer != nullptr) {
        ASSERT_EQ(answer->number, to) << from;
      }
    }
}

}  // namespace
}  // namespace cowtrace
