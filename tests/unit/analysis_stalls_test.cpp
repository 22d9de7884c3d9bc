// SPDX-License-Identifier: Apache-2.0
#include "analysis/stalls.h"

#include <gtest/gtest.h>

#include <numeric>

#include "support/session_builder.h"

namespace cowtrace::analysis {
namespace {

class Stalls : public ::testing::Test {
 protected:
  // A break of `key` that took this long.
  model::Resolution& waits(model::ProcessKey key, std::uint32_t latency_ns,
                           model::Mechanism mechanism = model::Mechanism::Copy) {
    model::Resolution event;
    event.latency_ns = latency_ns;
    event.mechanism = mechanism;
    builder.write(key, 0, 0x1000 * ++pages_, event);
    return builder.newest_space(key).resolutions.back();
  }

  test::SessionBuilder builder;
  model::ProcessKey server = builder.process(10, "server");
  model::ProcessKey child = builder.process(11, "saver", server);

 private:
  std::uint64_t pages_ = 0;
};

std::uint64_t count_in(const StallSummary& stall, std::uint64_t from, std::uint64_t below) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < StallSummary::kBounds.size(); ++i)
    if (StallSummary::kBounds[i] > from && StallSummary::kBounds[i] <= below)
      sum += stall.bucket[i];
  return sum;
}

TEST_F(Stalls, ForksAreTheParents) {
  builder.session.process(child).fork_took_ns = 7'000'000;
  builder.session.process(builder.process(12, "saver", server)).fork_took_ns = 9'000'000;
  builder.process(13, "saver", server);  // nobody knows how long that took
  const auto stalls = stall_summaries(builder.session);
  ASSERT_EQ(stalls.size(), 1U);
  EXPECT_EQ(stalls[0].process, server);
  EXPECT_EQ(stalls[0].forks, 2U);
  EXPECT_EQ(stalls[0].fork_total_ns, 16'000'000U);
  EXPECT_EQ(stalls[0].fork_max_ns, 9'000'000U);
  EXPECT_FALSE(stalls[0].latency);
}

TEST_F(Stalls, HistogramHasBothSidesOfABound) {
  for (const std::uint32_t latency : {0U, 999U, 1'000U, 9'999U, 10'000U, 4'294'967'295U})
    waits(server, latency);
  const auto stalls = stall_summaries(builder.session);
  ASSERT_EQ(stalls.size(), 1U);
  EXPECT_EQ(count_in(stalls[0], 0, 1'000), 2U);
  EXPECT_EQ(count_in(stalls[0], 1'000, 2'000), 1U);
  EXPECT_EQ(count_in(stalls[0], 5'000, 10'000), 1U);
  EXPECT_EQ(count_in(stalls[0], 10'000, 20'000), 1U);
  EXPECT_EQ(stalls[0].bucket.back(), 1U);
  EXPECT_EQ(stalls[0].breaks, 6U);
  EXPECT_EQ(stalls[0].latency->max, 4'294'967'295U);
  EXPECT_EQ(stalls[0].break_total_ns, 4'294'967'295ULL + 999 + 1'000 + 9'999 + 10'000);
}

TEST_F(Stalls, OnlyBreaksOfItsOwnWhoseTimeIsKnown) {
  waits(child, 100);
  waits(child, 100, model::Mechanism::Reuse);
  waits(child, 100).late = true;
  waits(child, 100).cause = model::Cause::Remote;
  const auto stalls = stall_summaries(builder.session);
  ASSERT_EQ(stalls.size(), 1U);
  EXPECT_EQ(stalls[0].breaks, 1U);
}

TEST_F(Stalls, LongestFirst) {
  waits(server, 100);
  waits(child, 300);
  builder.session.process(child).fork_took_ns = 150;
  const auto stalls = stall_summaries(builder.session);
  ASSERT_EQ(stalls.size(), 2U);
  EXPECT_EQ(stalls[0].process, child);
  EXPECT_EQ(stalls[1].process, server);
}

}  // namespace
}  // namespace cowtrace::analysis
