// SPDX-License-Identifier: Apache-2.0
#include "pipeline/oom_score.h"

#include <gtest/gtest.h>

namespace cowtrace::pipeline {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

TEST(OomScore, BuffersDoNotCount) {
  EXPECT_EQ(oom_score_without(0, 40 * kMiB, 256 * kMiB), -156);
  EXPECT_EQ(oom_score_without(100, 40 * kMiB, 256 * kMiB), -56);
  EXPECT_EQ(oom_score_without(0, 160 * kMiB, 65536 * kMiB), -2);
  EXPECT_EQ(oom_score_without(0, 0, 256 * kMiB), 0);
}

TEST(OomScore, NeverProtectsFromTheEnd) {
  EXPECT_EQ(oom_score_without(0, UINT64_MAX / 4096, kMiB), -999);
  EXPECT_EQ(oom_score_without(-900, 200 * kMiB, 256 * kMiB), -999);
  EXPECT_EQ(oom_score_without(-1000, 40 * kMiB, 256 * kMiB), -1000);
  EXPECT_EQ(oom_score_without(5, 40 * kMiB, 0), 5);
}

}  // namespace
}  // namespace cowtrace::pipeline
