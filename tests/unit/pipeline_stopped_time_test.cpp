// SPDX-License-Identifier: Apache-2.0
#include "pipeline/stopped_time.h"

#include <gtest/gtest.h>

namespace cowtrace::pipeline {
namespace {

constexpr std::uint64_t kMs = 1'000'000;

TEST(StoppedTime, BeginsWhenTheTaskStopped) {
  StoppedTime time;
  time.add(1005 * kMs, 1007 * kMs, 1000 * kMs);
  EXPECT_EQ(time.ns(), 7 * kMs);
}

TEST(StoppedTime, OfOneThatIsNotKnownBeginsWithTheTracer) {
  StoppedTime time;
  time.add(1005 * kMs, 1007 * kMs, {});
  EXPECT_EQ(time.ns(), 2 * kMs);
}

TEST(StoppedTime, StopsAtOneTimeCountOnce) {
  StoppedTime time;
  time.add(1010 * kMs, 1020 * kMs, 1000 * kMs);
  time.add(1020 * kMs, 1030 * kMs, 1005 * kMs);
  time.add(1030 * kMs, 1040 * kMs, 1002 * kMs);
  EXPECT_EQ(time.ns(), 40 * kMs);
}

// The stop of the parent is handled first; when both stopped only that of the child tells.
TEST(StoppedTime, AParentStopsWithItsChild) {
  StoppedTime time;
  time.add(1010 * kMs, 1011 * kMs, {});
  time.add(1011 * kMs, 1015 * kMs, 1000 * kMs);
  EXPECT_EQ(time.ns(), 15 * kMs);
}

TEST(StoppedTime, TimeBetweenStopsDoesNotCount) {
  StoppedTime time;
  time.add(1000 * kMs, 1010 * kMs, 1000 * kMs);
  time.add(2000 * kMs, 2010 * kMs, 2000 * kMs);
  time.add(3000 * kMs, 3010 * kMs, {});
  EXPECT_EQ(time.ns(), 30 * kMs);
}

// A stop that is told to have begun before another one ended was counted with that.
TEST(StoppedTime, CountsNothingTwice) {
  StoppedTime time;
  time.add(1000 * kMs, 1010 * kMs, 1000 * kMs);
  time.add(2000 * kMs, 2010 * kMs, 2000 * kMs);
  time.add(2011 * kMs, 2015 * kMs, 900 * kMs);
  EXPECT_EQ(time.ns(), 10 * kMs + 1005 * kMs);
}

TEST(StoppedTime, WhatIsNotKnownTookAsLongAsWhatIs) {
  StoppedTime time;
  std::uint64_t now = 1000 * kMs;
  // A fork server: a child starts, runs, and ends; the tracer is told of each stop after 2 ms.
  for (int child = 0; child < 100; ++child) {
    time.add(now + 2 * kMs, now + 3 * kMs, {});
    time.add(now + 3 * kMs, now + 5 * kMs, now);
    now += 15 * kMs;
    time.add(now + 2 * kMs, now + 5 * kMs, {});
    now += 10 * kMs;
  }
  EXPECT_NEAR(static_cast<double>(time.ns()), 100.0 * 10 * kMs, 20.0 * kMs);
}

TEST(StoppedTime, AClockThatIsAheadIsNotBelieved) {
  StoppedTime time;
  time.add(1000 * kMs, 1010 * kMs, 5000 * kMs);
  EXPECT_EQ(time.ns(), 10 * kMs);
}

}  // namespace
}  // namespace cowtrace::pipeline
