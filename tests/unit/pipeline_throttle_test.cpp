// SPDX-License-Identifier: Apache-2.0
#include "pipeline/throttle.h"

#include <gtest/gtest.h>

namespace cowtrace::pipeline {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;

class PipelineThrottle : public ::testing::Test {
 protected:
  // Time of a family, in ticks of 50 ms: for how much of it a task stood still, and how many
  // processes started in the place of others.
  void pass(std::uint64_t ms, std::uint64_t stopped_ms, std::uint64_t replaced) {
    const std::uint64_t ticks = ms / 50;
    for (std::uint64_t tick = 1; tick <= ticks; ++tick) {
      throttle.update(now_ += 50 * kMillisecond,
                      stopped_ + stopped_ms * kMillisecond * tick / ticks,
                      replaced_ + replaced * tick / ticks);
      held_up = held_up || throttle.held_up();
    }
    stopped_ += stopped_ms * kMillisecond;
    replaced_ += replaced;
  }
  void SetUp() override { throttle.update(now_, 0, 0); }

  Throttle throttle;
  bool held_up = false;

 private:
  std::uint64_t now_ = 1'000'000 * kMillisecond, stopped_ = 0, replaced_ = 0;
};

// A fork server that runs 718 children a second alone, and 133 with stops.
TEST_F(PipelineThrottle, AForkServerIsHeldUp) {
  pass(2000, 1600, 266);
  ASSERT_TRUE(throttle.held_up());
  EXPECT_NEAR(throttle.held_up()->share, 0.8, 0.01);
  EXPECT_GE(throttle.held_up()->replaced, Throttle::kEnoughReplaced);
  EXPECT_LE(throttle.held_up()->span_ns, 1350 * kMillisecond);  // no longer than is needed
}

// 500 commands of a shell that take half a second alone.
TEST_F(PipelineThrottle, AShellScriptIsHeldUpBeforeItIsOver) {
  pass(2000, 1600, 400);
  EXPECT_TRUE(held_up);
}

TEST_F(PipelineThrottle, LargeChildrenThatComeAllTheTimeAreHeldUp) {
  pass(10'000, 9000, 110);
  EXPECT_TRUE(held_up);
}

TEST_F(PipelineThrottle, AFifthSlowerIsHeldUpAndLessIsNot) {
  pass(10'000, 1600, 1000);
  EXPECT_FALSE(held_up);
  pass(10'000, 1750, 1000);
  EXPECT_TRUE(held_up);
}

TEST_F(PipelineThrottle, AStormThatCostsLittleIsNot) {
  pass(20'000, 2000, 38'000);
  EXPECT_FALSE(held_up);
}

// Sixty-four workers of a large program, each of which takes a while to be looked at.
TEST_F(PipelineThrottle, WorkersThatLiveOnAreNoStorm) {
  pass(10'000, 9500, 0);
  EXPECT_FALSE(held_up);
  pass(100'000, 0, 64);
  EXPECT_FALSE(held_up);
}

TEST_F(PipelineThrottle, FewForksAreNoStormHoweverLongTheyTake) {
  for (int i = 0; i < 20; ++i) pass(10'000, 5000, 99);
  EXPECT_FALSE(held_up);
}

TEST_F(PipelineThrottle, WhatCostsLessThanTheBudgetIsNotJudged) {
  for (int i = 0; i < 5; ++i) {
    pass(1000, 900, 1000);
    EXPECT_FALSE(held_up);
    pass(20'000, 0, 0);
  }
  EXPECT_FALSE(held_up);
}

TEST_F(PipelineThrottle, AStormIsOverWhenNothingMoreStarts) {
  pass(2000, 1600, 266);
  EXPECT_TRUE(throttle.held_up());
  pass(12'000, 0, 0);
  EXPECT_FALSE(throttle.held_up());
}

TEST_F(PipelineThrottle, ALateLookIsAShareOfAllThatTime) {
  Throttle late;
  late.update(1000 * kMillisecond, 0, 0);
  late.update(9000 * kMillisecond, 1200 * kMillisecond, 5000);
  EXPECT_FALSE(late.held_up());
  late.update(17'000 * kMillisecond, 2800 * kMillisecond, 10'000);
  EXPECT_TRUE(late.held_up());
}

}  // namespace
}  // namespace cowtrace::pipeline
