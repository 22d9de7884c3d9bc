// SPDX-License-Identifier: Apache-2.0
#include "pipeline/budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/session.h"

namespace cowtrace::pipeline {
namespace {

using ::testing::HasSubstr;

analysis::Summary summary_of(std::initializer_list<std::uint64_t> copied) {
  static const model::Session session;
  static const model::Facts facts;
  analysis::Summary summary(session, facts);
  for (const std::uint64_t bytes : copied) {
    analysis::ProcessSummary& process = summary.processes.emplace_back();
    process.pid = static_cast<std::int32_t>(summary.processes.size());
    process.command = "worker";
    process.copied_bytes = bytes;
    summary.totals.copied_bytes += bytes;
  }
  return summary;
}

TEST(Budget, WhatIsAllowedIsKept) {
  const Verdict verdict = judge({8192, 4096}, summary_of({4096, 4096}));
  EXPECT_FALSE(verdict.exceeded);
  EXPECT_EQ(verdict.line,
            "budget kept: the family copied 8.0 KiB, within --max-copied 8.0 KiB; "
            "process 1 (worker) copied 4.0 KiB, within --max-copied-per-process 4.0 KiB");
}

TEST(Budget, OneByteMoreIsTooMuch) {
  const Verdict verdict = judge({8191, std::nullopt}, summary_of({4096, 4096}));
  EXPECT_TRUE(verdict.exceeded);
  EXPECT_EQ(
      verdict.line,
      "budget EXCEEDED: the family copied 8.0 KiB, more than --max-copied 8.0 KiB by 1 bytes");
}

TEST(Budget, TheProcessThatCopiedMostCounts) {
  const Verdict verdict = judge({std::nullopt, 10'000}, summary_of({0, 40'960, 4096}));
  EXPECT_TRUE(verdict.exceeded);
  EXPECT_THAT(verdict.line, HasSubstr("process 2"));
}

TEST(Budget, NothingIsAllowedAndNothingWasCopied) {
  EXPECT_FALSE(judge({0, 0}, summary_of({0})).exceeded);
  EXPECT_FALSE(judge({0, 0}, summary_of({})).exceeded);
  EXPECT_FALSE(Budget{}.is_set());
}

}  // namespace
}  // namespace cowtrace::pipeline
