// SPDX-License-Identifier: Apache-2.0
// What is counted is read from real runs by integration.counts; here, what the kernel refuses.
#include "capture/page_counts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cowtrace {
namespace {

TEST(PageCounts, WhatCannotBeReadIsNotTakenForNothing) {
  const auto rows = capture::read_page_counts(-1);
  ASSERT_FALSE(rows);
  EXPECT_THAT(rows.error().message(), ::testing::HasSubstr("cannot read what the kernel counted"));
}

}  // namespace
}  // namespace cowtrace
