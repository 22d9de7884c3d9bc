// SPDX-License-Identifier: Apache-2.0
#include "capture/preemption.h"

#include <gtest/gtest.h>

namespace cowtrace::capture {
namespace {

TEST(Preemption, WithoutTheWordTheKernelIsNotPreempted) {
  EXPECT_FALSE(preempts("#1 SMP Debian 5.10.262-1 (2026-07-31)", ""));
}

TEST(Preemption, ADynamicKernelSaysWhatItDoes) {
  constexpr const char* kDynamic = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)";
  EXPECT_FALSE(preempts(kDynamic, "none (voluntary) full "));
  EXPECT_FALSE(preempts(kDynamic, "(none) voluntary full lazy"));
  EXPECT_TRUE(preempts(kDynamic, "none voluntary (full)"));
  EXPECT_TRUE(preempts(kDynamic, "full (lazy) "));
}

TEST(Preemption, WhatIsNotKnownCountsAsYes) {
  EXPECT_TRUE(preempts("#1 SMP PREEMPT_DYNAMIC", ""));
  EXPECT_TRUE(preempts("#1 SMP PREEMPT_RT", ""));
}

}  // namespace
}  // namespace cowtrace::capture
