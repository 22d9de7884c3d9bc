// SPDX-License-Identifier: Apache-2.0
#include "analysis/events.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "analysis/break_stacks.h"
#include "support/reported.h"
#include "support/story.h"

namespace cowtrace {
namespace {

using analysis::BreakStack;

struct Seen : analysis::EventVisitor {
  void mark(const analysis::ProcessMark& mark) override {
    times.push_back(mark.t_ns);
    ++(mark.kind == analysis::ProcessMark::Kind::Start ? started : exited);
  }
  void event(const analysis::EventRow& row) override {
    times.push_back(row.t_ns);
    rows.push_back(row);
  }
  std::vector<std::uint64_t> times;
  std::vector<analysis::EventRow> rows;
  int started = 0, exited = 0;
};

class AnalysisEvents : public ::testing::Test {
 protected:
  Seen seen(const analysis::EventFilter& filter = {}) {
    Seen result;
    analysis::visit_in_time(report, filter, result);
    return result;
  }
  static analysis::BreakCount sum(const std::vector<BreakStack>& stacks) {
    analysis::BreakCount count;
    for (const BreakStack& stack : stacks) count.add(stack.count.breaks, stack.count.bytes);
    return count;
  }

  test::Story story;
  const analysis::Report& report = test::reported(story.session(), story.resolver);
  const analysis::Summary& summary = report.summary;
};

TEST_F(AnalysisEvents, AllOfThemComeInOrderOfTime) {
  const Seen all = seen();
  EXPECT_EQ(all.rows.size(), story.session().capture.events);
  EXPECT_EQ(all.started, 4);
  EXPECT_EQ(all.exited, 3);
  EXPECT_TRUE(std::is_sorted(all.times.begin(), all.times.end()));
}

TEST_F(AnalysisEvents, NoProcessBeginsAfterItsFirstEvent) {
  test::SessionBuilder builder;
  const model::ProcessKey process = builder.process(1, "late");
  builder.session.process(process).start_ns = test::SessionBuilder::kStarted + 100;
  builder.write(process, 40, 0x5000);
  test::FakeResolver resolver;
  const analysis::Report& joined = test::reported(builder.finish(), resolver);
  Seen result;
  analysis::visit_in_time(joined, {}, result);
  EXPECT_EQ(result.times, (std::vector<std::uint64_t>{40, 40}));
}

TEST_F(AnalysisEvents, ARowHasWhatTheJoinFound) {
  const Seen all = seen();
  const analysis::EventRow& first = all.rows.front();
  EXPECT_EQ(first.t_ns, 1'200'000'000U);
  EXPECT_EQ(story.session().process(first.process).pid, 4712);
  EXPECT_EQ(first.cause, model::Cause::Value);
  EXPECT_EQ(first.mapping, "[heap]");
  ASSERT_TRUE(first.object);
  EXPECT_EQ(summary.objects[first.object->value].name, "requests");
  ASSERT_TRUE(first.site);
  EXPECT_EQ(summary.sites[*first.site].breaks, 12U);
}

TEST_F(AnalysisEvents, AFilterLeavesOutEventsButNoProcesses) {
  analysis::EventFilter filter;
  ASSERT_TRUE(filter.add("cause=allocator"));
  const Seen some = seen(filter);
  EXPECT_EQ(some.rows.size(), 4U);
  EXPECT_EQ(some.started, 4);
}

TEST_F(AnalysisEvents, StacksSumUpToTheTotals) {
  for (const bool with_details : {false, true}) {
    const auto stacks = break_stacks(report, {}, with_details);
    EXPECT_EQ(sum(stacks).breaks, summary.totals.breaks);
    EXPECT_EQ(sum(stacks).bytes, summary.totals.copied_bytes);
    EXPECT_EQ(std::count_if(stacks.begin(), stacks.end(),
                            [](const BreakStack& s) { return s.known == BreakStack::Known::Lost; }),
              1);
  }
}

TEST_F(AnalysisEvents, WhatWasLostMatchesNoFilter) {
  analysis::EventFilter filter;
  ASSERT_TRUE(filter.add("pid=4712"));
  const auto stacks = break_stacks(report, filter, false);
  EXPECT_EQ(sum(stacks).breaks, 13U);
  EXPECT_EQ(sum(stacks).bytes, 12U * kPageSize + (2U << 20));
}

TEST_F(AnalysisEvents, RowsOfCountsHaveNoStack) {
  test::SessionBuilder builder;
  const model::ProcessKey process = builder.process(1, "hot");
  model::PageCount row;
  row.page = 0x5000;
  row.count = 7;
  row.last_ns = test::SessionBuilder::kStarted + 5;
  row.size = kPageSize;
  builder.newest_space(process).page_counts.push_back(row);
  auto& counts = builder.newest_space(process).counts;
  counts.count[0] = 7;
  counts.bytes[0] = 7 * kPageSize;
  test::FakeResolver resolver;
  const analysis::Report& counted = test::reported(builder.finish(), resolver);
  const auto stacks = break_stacks(counted, {}, false);
  ASSERT_EQ(stacks.size(), 1U);
  EXPECT_EQ(stacks[0].known, BreakStack::Known::NoStack);
  EXPECT_EQ(stacks[0].count.breaks, 7U);
  Seen result;
  analysis::visit_in_time(counted, {}, result);
  ASSERT_EQ(result.rows.size(), 1U);
  EXPECT_EQ(result.rows[0].resolution, nullptr);
  EXPECT_EQ(result.rows[0].t_ns, 5U);
}

}  // namespace
}  // namespace cowtrace
