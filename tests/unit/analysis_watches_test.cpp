// SPDX-License-Identifier: Apache-2.0
#include "analysis/watches.h"

#include <gtest/gtest.h>

#include "support/fake_resolver.h"
#include "support/reported.h"
#include "support/session_builder.h"

namespace cowtrace::analysis {
namespace {

using model::WatchSample;
using State = WatchSummary::State;

constexpr std::uint64_t kObject = 0x10'0ff8;  // on two pages
constexpr std::uint64_t kSlot = 0x20'0010;
constexpr std::uint64_t kForked = test::SessionBuilder::kStarted + 1000;

// A parent and a child, and what was seen of one object in the child.
class Watches : public testing::Test {
 protected:
  Watches() {
    sample_.time_ns = kForked;
    sample_.outcome = WatchSample::Outcome::Found;
    sample_.object = sample_.start = kObject;
    sample_.type = "list";
    sample_.frames = {7, 8};
    sample_.frame = 7;
    sample_.slot = kSlot;
    sample_.slot_frame = 9;
    sample_.place = "entry 'x' of y";
  }

  WatchSample later() const {
    WatchSample sample = sample_;
    sample.moment = WatchSample::Moment::Exit;
    sample.time_ns = kForked + 1'000'000;
    return sample;
  }

  void copy(std::uint64_t address, std::uint64_t after_ns = 500) {
    model::Resolution event;
    event.old_frame = 1;
    event.new_frame = 2;
    event.cause = model::Cause::Refcount;
    builder_.write(child_, kForked - test::SessionBuilder::kStarted + after_ns, address, event);
  }

  WatchSummary judged(const std::optional<WatchSample>& at_fork,
                      const std::optional<WatchSample>& last) {
    builder_.session.watches = {
        {"y['x']", builder_.session.process(child_).spaces.front(), at_fork, last}};
    builder_.finish();
    const auto& summaries = test::reported(builder_.session, resolver_).summary.watches;
    EXPECT_EQ(summaries.size(), 1U);
    return summaries.at(0);
  }

  test::SessionBuilder builder_;
  test::FakeResolver resolver_;
  model::ProcessKey parent_ = builder_.process(10, "parent");
  model::ProcessKey child_ = builder_.process(11, "child", parent_);
  WatchSample sample_;
};

TEST_F(Watches, SameFramesAreShared) {
  copy(0x999'0000);
  const WatchSummary watch = judged(sample_, later());
  EXPECT_EQ(watch.state, State::Shared);
  EXPECT_EQ(watch.pid, 11);
  EXPECT_EQ(watch.pages, 2U);
  EXPECT_EQ(watch.copied_pages, 0U);
  ASSERT_TRUE(watch.slot);
  EXPECT_EQ(watch.slot->state, WatchSlot::State::Shared);
}

TEST_F(Watches, ABreakOfAnyOfItsPagesIsACopy) {
  copy(kObject + 0x100);
  WatchSample last = later();
  last.frames[1] = 80;
  const WatchSummary watch = judged(sample_, last);
  EXPECT_EQ(watch.state, State::Copied);
  EXPECT_EQ(watch.copied_pages, 1U);
  ASSERT_TRUE(watch.break_of_page);
  EXPECT_EQ(watch.break_of_page->cause, model::Cause::Refcount);
  EXPECT_EQ(watch.break_of_page->address, kObject + 0x100);
}

TEST_F(Watches, TheFirstBreakIsTold) {
  copy(kObject + 1, 900);
  copy(kObject, 500);
  EXPECT_EQ(judged(sample_, later()).break_of_page->address, kObject);
}

TEST_F(Watches, ABreakOfTheHugePageAroundItIsOne) {
  model::Resolution event;
  event.mechanism = model::Mechanism::HugetlbCopy;
  event.size = 2U << 20;
  builder_.write(child_, kForked - test::SessionBuilder::kStarted + 500, 0x1f'f000, event);
  const WatchSummary watch = judged(sample_, later());
  EXPECT_EQ(watch.state, State::Copied);
  EXPECT_EQ(watch.copied_pages, 2U);
}

TEST_F(Watches, WhatWasBrokenBeforeTheForkDoesNotCount) {
  builder_.write(child_, 10, kObject, {});
  EXPECT_EQ(judged(sample_, later()).state, State::Shared);
}

// Everybody else has copied or gone.
TEST_F(Watches, AWriteInPlaceLeavesItTheFrame) {
  model::Resolution event;
  event.mechanism = model::Mechanism::Reuse;
  event.cause = model::Cause::Refcount;
  builder_.write(child_, 2000, kObject, event);
  const WatchSummary watch = judged(sample_, later());
  EXPECT_EQ(watch.state, State::Shared);
  EXPECT_FALSE(watch.break_of_page);
  ASSERT_TRUE(watch.in_place);
  EXPECT_EQ(watch.in_place->mechanism, model::Mechanism::Reuse);
}

TEST_F(Watches, AnotherFrameWithoutAnEventIsNotExplained) {
  WatchSample last = later();
  last.frames[0] = last.frame = 70;
  const WatchSummary watch = judged(sample_, last);
  EXPECT_EQ(watch.state, State::Unknown);
  EXPECT_NE(watch.reason.find("no event"), std::string::npos);
}

TEST_F(Watches, FramesThatAreNotKnownProveNothing) {
  sample_.frames = {0, 0};
  EXPECT_EQ(judged(sample_, later()).state, State::Unknown);
}

TEST_F(Watches, AnotherAddressOrTypeIsAnotherObject) {
  copy(kSlot);
  WatchSample last = later();
  last.object = last.start = 0x30'0000;
  const WatchSummary watch = judged(sample_, last);
  EXPECT_EQ(watch.state, State::Replaced);
  EXPECT_EQ(watch.slot->state, WatchSlot::State::Copied);
  ASSERT_TRUE(watch.break_of_page);
  EXPECT_EQ(watch.break_of_page->address, kSlot);
  last = later();
  last.type = "int";
  EXPECT_EQ(judged(sample_, last).state, State::Replaced);
}

TEST_F(Watches, ANewOneHasReplacedNothing) {
  WatchSample missing;
  missing.time_ns = kForked;
  missing.outcome = WatchSample::Outcome::Missing;
  const WatchSummary watch = judged(missing, later());
  EXPECT_EQ(watch.state, State::Replaced);
  EXPECT_FALSE(watch.at_fork);
  EXPECT_NE(watch.reason.find("not there"), std::string::npos);
  EXPECT_EQ(judged(sample_, missing).state, State::Missing);
}

TEST_F(Watches, ASlotThatIsElsewhereHasMoved) {
  WatchSample last = later();
  last.slot += 64;
  EXPECT_EQ(judged(sample_, last).slot->state, WatchSlot::State::Moved);
}

TEST_F(Watches, WithoutAForkNothingIsShared) {
  const WatchSummary watch = judged(std::nullopt, later());
  EXPECT_EQ(watch.state, State::Unknown);
  EXPECT_NE(watch.reason.find("did not fork"), std::string::npos);
  EXPECT_EQ(watch.address, kObject);
}

// Nothing stopped it at its exit: what is known is from the fork, and from the events since.
TEST_F(Watches, EventsAfterTheLastLookCount) {
  copy(kObject);
  const WatchSummary watch = judged(sample_, std::nullopt);
  EXPECT_EQ(watch.seen, WatchSample::Moment::Fork);
  EXPECT_EQ(watch.state, State::Copied);
}

}  // namespace
}  // namespace cowtrace::analysis
