// SPDX-License-Identifier: Apache-2.0
#include "analysis/live_counts.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/session_builder.h"

namespace cowtrace::analysis {
namespace {

using model::Cause;
using test::SessionBuilder;

// A parent and two children that it forked; each break is given to the counts, and named at once if
// it is said what it is.
class LiveCountsTest : public testing::Test {
 protected:
  LiveCountsTest() {
    parent = builder.process(100, "server");
    for (const std::int32_t pid : {101, 102}) {
      children.push_back(builder.process(pid, "worker", parent));
      model::Fork fork;
      fork.parent_space = space_of(parent);
      fork.child_space = space_of(children.back());
      counts.add(fork);
    }
  }

  model::SpaceId space_of(model::ProcessKey process) { return builder.newest_space(process).id; }

  std::uint32_t write(model::ProcessKey process, model::StackHash stack = {},
                      std::uint64_t ip = 0x10, std::uint32_t size = kPageSize) {
    model::Resolution event;
    event.space = space_of(process);
    event.stack = stack;
    event.ip = ip;
    event.size = size;
    event.time_ns = ++time_ns;
    return counts.add(event);
  }

  void write_named(model::ProcessKey process, const std::string& object, Cause cause,
                   model::StackHash stack = {}) {
    const std::uint32_t site = write(process, stack);
    const std::uint32_t number =
        counts.object_number({model::ObjectKind::Python, object, "dict", 0});
    counts.add_named(space_of(process), site, number, cause, kPageSize);
  }

  LiveSnapshot snapshot(const LiveRequest& request = {}) {
    return counts.snapshot(builder.session, request, [](model::ProcessKey) {
      return std::optional<std::uint64_t>(10 * kPageSize);
    });
  }

  SessionBuilder builder;
  LiveCounts counts;
  model::ProcessKey parent;
  std::vector<model::ProcessKey> children;
  std::uint64_t time_ns = 0;
};

model::Stack stack_of(std::uint64_t hash, model::SpaceId space, std::vector<std::uint64_t> frames) {
  model::Stack stack;
  stack.hash = model::StackHash(hash);
  stack.space = space;
  stack.frames = std::move(frames);
  return stack;
}

TEST_F(LiveCountsTest, CountsBreaksOfProcesses) {
  write(children[0]);
  write(children[0]);
  write(children[1], {}, 0x10, 512 * kPageSize);
  const LiveSnapshot all = snapshot();
  EXPECT_EQ(all.total.count.breaks, 3u);
  EXPECT_EQ(all.total.count.bytes, 514 * kPageSize);
  ASSERT_EQ(all.processes.rows.size(), 3u);
  EXPECT_EQ(all.processes.rows[0].pid, 102);  // by bytes
  EXPECT_EQ(all.processes.rows[1].pid, 101);
  EXPECT_EQ(all.processes.rows[1].count.breaks, 2u);
  EXPECT_EQ(all.processes.rows[1].shared_bytes, 8 * kPageSize);
  EXPECT_EQ(all.processes.rows[0].shared_bytes, 0u);
  EXPECT_EQ(all.processes.rows[2].count.breaks, 0u);
  EXPECT_EQ(all.processes_alive, 3u);
  EXPECT_EQ(all.named, 0u);
  EXPECT_TRUE(all.objects.rows.empty());
}

TEST_F(LiveCountsTest, SameStackInForkedProcessesIsOneSite) {
  counts.add(stack_of(7, space_of(children[0]), {1, 2}));
  write(children[0], model::StackHash(7));
  write(children[1], model::StackHash(8));  // before its stack is told
  counts.add(stack_of(8, space_of(children[1]), {1, 2}));
  write(children[1], model::StackHash(8));
  counts.add(stack_of(9, space_of(children[1]), {1, 3}));
  write(children[1], model::StackHash(9));
  const LiveSnapshot all = snapshot();
  ASSERT_EQ(all.sites.rows.size(), 2u);
  EXPECT_EQ(all.sites.rows[0].count.breaks, 3u);
  EXPECT_EQ(all.sites.rows[1].count.breaks, 1u);
  EXPECT_EQ(all.sites.rows[0].stack, model::StackHash(7));
}

TEST_F(LiveCountsTest, NamedBreaksOfAMergedSiteGoWhereItWent) {
  counts.add(stack_of(7, space_of(children[0]), {1, 2}));
  write_named(children[0], "A", Cause::Value, model::StackHash(7));
  const std::uint32_t early = write(children[1], model::StackHash(8));
  counts.add(stack_of(8, space_of(children[1]), {1, 2}));
  counts.add_named(space_of(children[1]), early,
                   counts.object_number({model::ObjectKind::Python, "A", "dict", 0}), Cause::Value,
                   kPageSize);
  LiveRequest request;
  request.filter.site = snapshot().sites.rows.at(0).id;
  EXPECT_EQ(snapshot(request).shown.count.breaks, 2u);
  EXPECT_EQ(snapshot(request).processes.rows.size(), 2u);
}

TEST_F(LiveCountsTest, WithoutAStackTheInstructionIsTheSite) {
  write(children[0], {}, 0x10);
  write(children[1], {}, 0x10);
  write(children[1], {}, 0x20);
  EXPECT_EQ(snapshot().sites.rows.size(), 2u);
}

TEST_F(LiveCountsTest, FiltersAgreeWithEachOther) {
  write_named(children[0], "A", Cause::Refcount);
  write_named(children[0], "B", Cause::Value);
  write_named(children[1], "A", Cause::Refcount);
  write_named(children[1], "A", Cause::Value);
  const LiveSnapshot all = snapshot();
  ASSERT_EQ(all.objects.rows.size(), 2u);
  EXPECT_EQ(all.objects.rows[0].name, "A");
  EXPECT_EQ(all.objects.rows[0].count.breaks, 3u);
  EXPECT_EQ(all.objects.rows[0].main_cause, Cause::Refcount);
  ASSERT_EQ(all.types.rows.size(), 1u);
  EXPECT_EQ(all.types.rows[0].objects, 2u);
  EXPECT_EQ(all.named, 4u);

  LiveRequest request;
  request.filter.object = all.objects.rows[0].id;
  LiveSnapshot some = snapshot(request);
  EXPECT_EQ(some.shown.count.breaks, 3u);
  EXPECT_EQ(some.total.count.breaks, 4u);
  EXPECT_EQ(some.processes.rows.size(), 2u);
  request.filter.process = children[1].value;
  request.filter.cause = static_cast<std::uint32_t>(Cause::Value);
  some = snapshot(request);
  EXPECT_EQ(some.shown.count.breaks, 1u);
  ASSERT_EQ(some.processes.rows.size(), 1u);
  EXPECT_EQ(some.processes.rows[0].pid, 102);
}

TEST_F(LiveCountsTest, OfOneProcessAlsoUnnamedBreaksCount) {
  write_named(children[0], "A", Cause::Refcount);
  write(children[0]);
  LiveRequest request;
  request.filter.process = children[0].value;
  EXPECT_EQ(snapshot(request).shown.count.breaks, 2u);
}

TEST_F(LiveCountsTest, RatesAreOfTheLastWindow) {
  counts.next_window(1'000);
  write(children[0]);
  EXPECT_EQ(snapshot().total.recent.breaks, 0u);
  counts.next_window(2'000);
  EXPECT_EQ(snapshot().total.recent.breaks, 1u);
  EXPECT_EQ(snapshot().window_ns, 1'000u);
  write(children[0]);
  write(children[0]);
  EXPECT_EQ(snapshot().processes.rows[0].recent.breaks, 1u);
  counts.next_window(3'000);
  EXPECT_EQ(snapshot().processes.rows[0].recent.breaks, 2u);
  counts.next_window(4'000);
  EXPECT_EQ(snapshot().processes.rows[0].recent.breaks, 0u);
  EXPECT_EQ(snapshot().processes.rows[0].count.breaks, 3u);
}

TEST_F(LiveCountsTest, SortsAsAskedAndCutsButCountsAll) {
  write_named(children[0], "B", Cause::Value);
  write_named(children[0], "A", Cause::Value);
  write_named(children[0], "A", Cause::Value);
  write_named(children[0], "C", Cause::Value);
  LiveRequest request;
  request.order = LiveOrder::Name;
  request.rows = 2;
  const LiveSnapshot sorted = snapshot(request);
  ASSERT_EQ(sorted.objects.rows.size(), 2u);
  EXPECT_EQ(sorted.objects.all, 3u);
  EXPECT_EQ(sorted.objects.rows[0].name, "A");
  EXPECT_EQ(sorted.objects.rows[1].name, "B");
}

TEST_F(LiveCountsTest, WhatFindsNoRoomIsPutTogetherAndNothingIsLost) {
  counts = LiveCounts({.objects = 3, .cells = 4});
  for (int i = 0; i < 20; ++i)
    write_named(children[i % 2], "object " + std::to_string(i), Cause::Value);
  const LiveSnapshot all = snapshot();
  std::uint64_t breaks = 0;
  for (const LiveObject& row : all.objects.rows) breaks += row.count.breaks;
  EXPECT_EQ(breaks, 20u);
  EXPECT_EQ(all.objects.rows[0].name, "(other objects)");
  EXPECT_LE(all.objects.rows.size(), 4u);
}

TEST_F(LiveCountsTest, ASpaceThatNobodyAnnouncedCountsInTheTotalAlone) {
  model::Resolution event;
  event.space = model::SpaceId(99);
  event.size = kPageSize;
  counts.add(event);
  const LiveSnapshot all = snapshot();
  EXPECT_EQ(all.total.count.breaks, 1u);
  for (const LiveProcess& row : all.processes.rows) EXPECT_EQ(row.count.breaks, 0u);
}

// Names are found out later than that there is a site.
TEST_F(LiveCountsTest, SitesThatAreCalledAlikeBecomeOne) {
  const std::uint32_t first = write(parent, {}, 0x10);
  const std::uint32_t second = write(parent, {}, 0x20);
  write(children[0], {}, 0x20);
  ASSERT_TRUE(counts.site_to_name(second));
  EXPECT_EQ(counts.site_to_name(second)->ip, 0x20U);
  counts.merge_sites(first, second);
  counts.merge_sites(first, second);
  EXPECT_FALSE(counts.site_to_name(second));
  EXPECT_EQ(write(parent, {}, 0x20), first);
  const LiveSnapshot all = snapshot();
  ASSERT_EQ(all.sites.rows.size(), 1U);
  EXPECT_EQ(all.sites.rows[0].count.breaks, 4U);
  // Whoever looks at the one that is no more sees what it is part of.
  LiveRequest request;
  request.filter.site = second;
  counts.add_named(space_of(parent), second,
                   counts.object_number({model::ObjectKind::Python, "RULES", "dict", 0}),
                   Cause::Value, kPageSize);
  EXPECT_EQ(snapshot(request).shown.count.breaks, 1U);
}
}  // namespace
}  // namespace cowtrace::analysis
