// SPDX-License-Identifier: Apache-2.0
#include "pipeline/throttle.h"

#include <gtest/gtest.h>

namespace cowtrace::pipeline {
namespace {

constexpr std::uint64_t kMs = 1'000'000;

// A second of a family, in ticks of 50 ms: what share of it was spent in stops, and how many forks there were.
class PipelineThrottle : public ::testing::Test {
 protected:
  void second(std::uint64_t stopped_ms, std::uint64_t forks) {
    for (int tick = 1; tick <= 20; ++tick) throttle.update(now_ += 50 * kMs, stopped_ + stopped_ms * kMs * tick / 20, forks_ + forks * tick / 20);
    stopped_ += stopped_ms * kMs;
    forks_ += forks;
  }
  void SetUp() override { throttle.update(now_, 0, 0); }

  Throttle throttle;

 private:
  std::uint64_t now_ = 1'000'000 * kMs, stopped_ = 0, forks_ = 0;
};

TEST_F(PipelineThrottle, TwoSecondsInARowHoldItUp) {
  second(400, 900);
  EXPECT_FALSE(throttle.holds_up());
  second(400, 900);
  EXPECT_TRUE(throttle.holds_up());
}

TEST_F(PipelineThrottle, ABurstIsAProgramThatStarts) {
  for (int i = 0; i < 5; ++i) {
    second(600, 1500);
    EXPECT_FALSE(throttle.holds_up());
    second(100, 100);
  }
  EXPECT_FALSE(throttle.holds_up());
}

TEST_F(PipelineThrottle, FewForksOfALargeProcessAreNoStorm) {
  for (int i = 0; i < 10; ++i) second(900, 10);
  EXPECT_FALSE(throttle.holds_up());
}

TEST_F(PipelineThrottle, ManyForksThatCostLittleAreNone) {
  for (int i = 0; i < 10; ++i) second(200, 1900);
  EXPECT_FALSE(throttle.holds_up());
}

TEST_F(PipelineThrottle, AWindowThatWasLookedAtLateIsAShare) {
  throttle.update(1'000'000 * kMs + 4000 * kMs, 1000 * kMs, 5000);
  throttle.update(1'000'000 * kMs + 8000 * kMs, 2000 * kMs, 10'000);
  EXPECT_FALSE(throttle.holds_up());
}

}  // namespace
}  // namespace cowtrace::pipeline
