// SPDX-License-Identifier: Apache-2.0
#include "analysis/allocators.h"

#include <gtest/gtest.h>

#include "support/fake_resolver.h"
#include "support/reported.h"
#include "support/session_builder.h"

namespace cowtrace::analysis {
namespace {

using model::Mechanism;
constexpr std::uint64_t kHuge = std::uint64_t{2} << 20;

class Allocators : public ::testing::Test {
 protected:
  Allocators() { builder.session.capture.allocators = true; }
  void write(model::ProcessKey process, std::uint64_t time_ns, std::uint64_t address,
             Mechanism mechanism, model::StackHash stack = {}, std::uint32_t size = kPageSize) {
    model::Resolution event;
    event.mechanism = mechanism;
    event.stack = stack;
    event.size = size;
    builder.write(process, time_ns, address, event);
  }
  model::ProcessKey fork(std::int32_t pid, model::ProcessKey from, std::uint64_t time_ns) {
    const model::ProcessKey child = builder.process(pid, "child", from);
    builder.session.process(child).fork_ns = test::SessionBuilder::kStarted + time_ns;
    return child;
  }
  const Summary& joined() { return test::reported(builder.finish(), resolver).summary; }

  test::SessionBuilder builder;
  test::FakeResolver resolver;
  model::ProcessKey parent = builder.process(10, "server");
  model::StackHash loader = builder.stack(parent, {0x1000});
  model::StackHash other = builder.stack(parent, {0x2000});
};

TEST_F(Allocators, FollowsTheForksBack) {
  write(parent, 10, 0x5000, Mechanism::FirstWrite, loader);
  const model::ProcessKey child = fork(11, parent, 20);
  const model::ProcessKey grandchild = fork(12, child, 30);
  write(grandchild, 40, 0x5010, Mechanism::Copy, other);
  const Summary& summary = joined();
  ASSERT_EQ(summary.allocators.size(), 1U);
  EXPECT_EQ(summary.allocators[0].stack, loader);
  EXPECT_EQ(summary.allocators[0].breaks, 1U);
  EXPECT_EQ(summary.allocators[0].copied_bytes, kPageSize);
  EXPECT_EQ(summary.allocators_unknown->breaks, 0U);
  ASSERT_EQ(summary.sites.size(), 1U);
  EXPECT_EQ(summary.sites[0].stack, other);
}

// The same code breaks pages in the child and has allocated others in the parent: each of its two
// stacks has names where it was.
TEST_F(Allocators, CodeThatAlsoBreaksPagesKeepsItsNames) {
  resolver.name(0x1000, {{"load", "load.c", 7, "/opt/server", false, ""}});
  write(parent, 10, 0x5000, Mechanism::FirstWrite, loader);
  const model::ProcessKey child = fork(11, parent, 20);
  write(child, 30, 0x4000, Mechanism::Copy, builder.stack(child, {0x1000}));
  write(child, 40, 0x5010, Mechanism::Copy, other);
  const Summary& summary = joined();
  ASSERT_EQ(summary.allocators.size(), 1U);
  ASSERT_EQ(summary.allocators[0].frames.size(), 1U);
  EXPECT_EQ(summary.allocators[0].frames[0]->function, "load");
}

TEST_F(Allocators, WhatTheParentWroteAfterTheForkIsNoMore) {
  write(parent, 10, 0x5000, Mechanism::FirstWrite, loader);
  const model::ProcessKey child = fork(11, parent, 20);
  write(parent, 25, 0x5000, Mechanism::FirstWrite, other);  // unmapped and mapped anew
  write(child, 40, 0x5000, Mechanism::Copy);
  const Summary& summary = joined();
  ASSERT_EQ(summary.allocators.size(), 1U);
  EXPECT_EQ(summary.allocators[0].stack, loader);
}

TEST_F(Allocators, TheLastOneBeforeTheBreak) {
  write(parent, 10, 0x5000, Mechanism::FirstWrite, loader);
  write(parent, 15, 0x5000, Mechanism::ZeroFill, other);
  fork(11, parent, 20);
  write(parent, 40, 0x5000, Mechanism::Copy);
  write(parent, 50, 0x5000, Mechanism::FirstWrite, loader);
  const Summary& summary = joined();
  ASSERT_EQ(summary.allocators.size(), 1U);
  EXPECT_EQ(summary.allocators[0].stack, other);
}

TEST_F(Allocators, APageOfAHugeOne) {
  write(parent, 10, kHuge + 0x7000, Mechanism::FirstWrite, loader, kHuge);
  write(parent, 11, 3 * kHuge, Mechanism::FirstWrite, other);
  const model::ProcessKey child = fork(11, parent, 20);
  write(child, 40, kHuge + 0x9000, Mechanism::Copy);
  write(child, 41, 3 * kHuge + 0x9000, Mechanism::Copy);  // beside the small page at the same start
  const Summary& summary = joined();
  ASSERT_EQ(summary.allocators.size(), 1U);
  EXPECT_EQ(summary.allocators[0].stack, loader);
  EXPECT_EQ(summary.allocators_unknown->breaks, 1U);
}

TEST_F(Allocators, AnotherProgramHasInheritedNothing) {
  write(parent, 10, 0x5000, Mechanism::FirstWrite, loader);
  const model::ProcessKey child = fork(11, parent, 20);
  builder.add_space(child);
  write(child, 40, 0x5000, Mechanism::Copy);
  EXPECT_EQ(joined().allocators_unknown->breaks, 1U);
}

TEST_F(Allocators, WhatExecWroteIsOfNoCode) {
  builder.session.process(parent).exec_ns = {test::SessionBuilder::kStarted + 10};
  for (const std::uint64_t at : {5U, 15U}) {
    model::Resolution event;
    event.mechanism = Mechanism::FirstWrite;
    event.stack = loader;
    event.in_kernel = true;
    builder.write(parent, at, at << 12, event);
  }
  const model::ProcessKey child = fork(11, parent, 20);
  write(child, 40, 5U << 12, Mechanism::Copy);
  write(child, 41, 15U << 12, Mechanism::Copy);
  const Summary& summary = joined();
  ASSERT_EQ(summary.allocators.size(), 2U);
  EXPECT_EQ(summary.allocators[0].stack, model::StackHash());
  EXPECT_EQ(summary.allocators[0].ip, 0U);
  EXPECT_EQ(summary.allocators[1].stack, loader);
}

TEST_F(Allocators, SaysWhenNothingWasSeen) {
  const model::ProcessKey child = fork(11, parent, 20);
  write(child, 40, 0x5000, Mechanism::Copy);
  const Summary& summary = joined();
  EXPECT_TRUE(summary.allocators.empty());
  EXPECT_EQ(summary.allocators_unknown->breaks, 1U);
}

TEST_F(Allocators, NothingUnlessAskedFor) {
  builder.session.capture.allocators = false;
  write(parent, 10, 0x5000, Mechanism::ZeroFill, loader);
  const model::ProcessKey child = fork(11, parent, 20);
  write(child, 40, 0x5000, Mechanism::Copy);
  const Summary& summary = joined();
  EXPECT_TRUE(summary.allocators.empty());
  EXPECT_FALSE(summary.allocators_unknown);
}

}  // namespace
}  // namespace cowtrace::analysis
