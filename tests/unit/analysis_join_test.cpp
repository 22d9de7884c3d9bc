// SPDX-License-Identifier: Apache-2.0

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_resolver.h"
#include "support/reported.h"
#include "support/session_builder.h"

namespace cowtrace {
namespace {

using analysis::Summary;
using model::Cause;
using model::Mechanism;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint64_t kPage = 0x10'0000;

class AnalysisJoin : public ::testing::Test {
 protected:
  const Summary& join(const analysis::JoinOptions& options = {}) {
    return test::reported(builder.finish(), resolver, options).summary;
  }
  const analysis::ObjectSummary& object(const Summary& summary, std::string_view name) {
    for (const auto& object : summary.objects)
      if (object.name == name) return object;
    ADD_FAILURE() << "no object " << name;
    return summary.objects.at(0);
  }
  static model::Resolution of(Mechanism mechanism, Cause cause = Cause::Unknown) {
    model::Resolution event;
    event.mechanism = mechanism;
    event.cause = cause;
    return event;
  }

  test::SessionBuilder builder;
  test::FakeResolver resolver;
};

TEST_F(AnalysisJoin, OnlyBreaksCountAsCopied) {
  const auto process = builder.process(1, "p");
  for (std::size_t m = 0; m < model::kMechanismNumbers; ++m)
    builder.write(process, m, kPage + m * kPageSize, of(static_cast<Mechanism>(m)));
  const Summary& summary = join();
  EXPECT_EQ(summary.totals.breaks, 4U);  // copy, hugetlb-copy, unshare, fork-copy
  EXPECT_EQ(summary.totals.copied_bytes, 4 * kPageSize);
  EXPECT_EQ(summary.processes[0].breaks, 4U);
  for (const auto& mechanism : summary.totals.by_mechanism) EXPECT_EQ(mechanism.count, 1U);
}

TEST_F(AnalysisJoin, LostEventsStayInTotalsAndProcesses) {
  const auto parent = builder.process(1, "p");
  const auto child = builder.process(2, "c", parent);
  builder.write(child, 10, kPage, of(Mechanism::Copy, Cause::Value));
  builder.lose(child);
  builder.lose(parent);
  const Summary& summary = join();
  EXPECT_EQ(summary.totals.breaks, 3U);
  EXPECT_EQ(summary.processes[0].breaks, 1U);
  EXPECT_EQ(summary.processes[1].breaks, 2U);
  EXPECT_EQ(summary.processes[1].copied_bytes, 2 * kPageSize);
  // The causes of the lost ones are unknown, and the sum stays exact.
  EXPECT_EQ(summary.totals.by_cause[static_cast<std::size_t>(Cause::Value)].breaks, 1U);
  EXPECT_EQ(summary.totals.by_cause[static_cast<std::size_t>(Cause::Unknown)].breaks, 2U);
  EXPECT_THAT(summary.capture.notes, IsEmpty());
}

TEST_F(AnalysisJoin, InconsistentCountersAreNoted) {
  const auto process = builder.process(1, "p");
  builder.write(process, 10, kPage);
  builder.session.capture.totals.count[0] += 5;
  const Summary& summary = join();
  EXPECT_EQ(summary.totals.breaks, 6U);
  EXPECT_THAT(summary.capture.notes,
              ElementsAre(HasSubstr("inconsistent: the kernel counted 6 resolutions, but 1 "
                                    "events arrived and 0 were lost"),
                          HasSubstr("1 of them in processes of this report")));
}

TEST_F(AnalysisJoin, EventsOfNoKnownSpaceAreNoted) {
  const auto process = builder.process(1, "p");
  builder.write(process, 10, kPage);
  builder.write(process, 11, kPage + kPageSize);
  builder.newest_space(process).resolutions.pop_back();
  EXPECT_THAT(join().capture.notes,
              ElementsAre(HasSubstr("2 events arrived, 1 of them belong to a known")));
}

TEST_F(AnalysisJoin, CountersThatWereNotFlushedDoNotHideEvents) {
  const auto process = builder.process(1, "p");
  builder.write(process, 10, kPage);
  builder.newest_space(process).counts = {};
  builder.session.capture.totals = {};
  const Summary& summary = join();
  EXPECT_EQ(summary.totals.breaks, 1U);
  EXPECT_EQ(summary.processes[0].copied_bytes, kPageSize);
  EXPECT_THAT(summary.capture.notes, IsEmpty());
}

TEST_F(AnalysisJoin, LatencyIsByNearestRankWithoutLateEvents) {
  const auto process = builder.process(1, "p");
  for (std::uint32_t i = 1; i <= 100; ++i) {
    model::Resolution event;
    event.latency_ns = i;
    builder.write(process, i, kPage + i * kPageSize, event);
  }
  model::Resolution late;
  late.latency_ns = 1'000'000;
  late.late = true;
  builder.write(process, 200, kPage, late);
  const analysis::MechanismSummary copy = join().totals.by_mechanism[0];
  ASSERT_TRUE(copy.latency);
  EXPECT_EQ(copy.latency->p50, 50U);
  EXPECT_EQ(copy.latency->p99, 99U);
  EXPECT_EQ(copy.latency->max, 100U);
  EXPECT_EQ(copy.count, 101U);
}

TEST_F(AnalysisJoin, InheritedAndSharedAreSumsOfWhatIsKnown) {
  const auto parent = builder.process(1, "p");
  builder.process(2, "a", parent);
  builder.process(3, "b", parent);
  EXPECT_EQ(join().totals.inherited_bytes, std::nullopt);
  builder.session.processes[1].inherited_bytes = 100;
  builder.session.processes[2].inherited_bytes = 50;
  builder.session.processes[2].still_shared_bytes = 0;
  const Summary& summary = join();
  EXPECT_EQ(summary.totals.inherited_bytes, 150U);
  EXPECT_EQ(summary.totals.still_shared_bytes, 0U);
  EXPECT_EQ(summary.totals.written_bytes, std::nullopt);
}

TEST_F(AnalysisJoin, TimesCountFromCaptureStart) {
  const auto parent = builder.process(1, "p");
  builder.process(2, "c", parent);
  auto& processes = builder.session.processes;
  processes[0].start_ns = 5;  // older than the capture, as when attached
  processes[1].start_ns = processes[1].fork_ns.emplace(test::SessionBuilder::kStarted + 70);
  processes[1].exit_ns = test::SessionBuilder::kStarted + 90;
  const Summary& summary = join();
  EXPECT_EQ(summary.processes[0].start_ns, 0U);
  EXPECT_EQ(summary.processes[0].exit_ns, std::nullopt);
  EXPECT_EQ(summary.processes[1].start_ns, 70U);
  EXPECT_EQ(summary.processes[1].fork_ns, 70U);
  EXPECT_EQ(summary.processes[1].exit_ns, 90U);
}

TEST_F(AnalysisJoin, ObjectsGetTheirBreaksAndTheirNeighbours) {
  const auto parent = builder.process(1, "p");
  const auto child = builder.process(2, "c", parent);
  resolver.add("written", kPage, 0x100);
  resolver.add("innocent", kPage + 0x200, 0x100);
  resolver.add("elsewhere", kPage + 4 * kPageSize, 0x100);
  builder.write(child, 1, kPage + 0x10, of(Mechanism::Copy, Cause::Refcount));
  builder.write(child, 2, kPage + 0x20, of(Mechanism::Copy, Cause::Value));
  builder.write(parent, 3, kPage + 0x210, of(Mechanism::Reuse));
  const Summary& summary = join();
  ASSERT_EQ(summary.objects.size(), 2U);
  const auto& written = object(summary, "written");
  EXPECT_EQ(written.id.value, 0U);
  EXPECT_EQ(written.breaks, 2U);
  EXPECT_EQ(written.copied_bytes, 2 * kPageSize);
  EXPECT_EQ(written.neighbour_breaks, 0U);
  EXPECT_EQ(written.by_cause[static_cast<std::size_t>(Cause::Refcount)].breaks, 1U);
  EXPECT_THAT(written.processes, ElementsAre(child));
  const auto& innocent = object(summary, "innocent");
  EXPECT_EQ(innocent.breaks, 0U);
  EXPECT_EQ(innocent.neighbour_breaks, 2U);
  EXPECT_THAT(innocent.processes, ElementsAre(child));
}

TEST_F(AnalysisJoin, ReuseMakesNoNeighbours) {
  const auto process = builder.process(1, "p");
  resolver.add("written", kPage, 0x100);
  resolver.add("innocent", kPage + 0x200, 0x100);
  builder.write(process, 1, kPage, of(Mechanism::Reuse));
  const Summary& summary = join();
  ASSERT_EQ(summary.objects.size(), 1U);
  EXPECT_EQ(summary.objects[0].name, "written");
  EXPECT_EQ(summary.objects[0].breaks, 0U);
  EXPECT_THAT(summary.objects[0].processes, IsEmpty());
}

TEST_F(AnalysisJoin, TheSameObjectOfParentAndChildIsOne) {
  const auto parent = builder.process(1, "p");
  const auto child = builder.process(2, "c", parent);
  model::Object cache;
  cache.kind = model::ObjectKind::Registered;
  cache.address = kPage;
  cache.size = 0x100;
  cache.name = "cache";
  resolver.add(cache, builder.newest_space(parent).id);
  resolver.add(cache, builder.newest_space(child).id);
  builder.write(parent, 1, kPage);
  builder.write(child, 2, kPage);
  const Summary& summary = join();
  ASSERT_EQ(summary.objects.size(), 1U);
  EXPECT_EQ(summary.objects[0].breaks, 2U);
  EXPECT_THAT(summary.objects[0].processes, ElementsAre(parent, child));
}

TEST_F(AnalysisJoin, ObjectsAreAskedForAtTheMomentOfTheBreak) {
  const auto process = builder.process(1, "p");
  model::Object first;
  first.address = kPage;
  first.size = 8;
  first.name = "first";
  first.kind = model::ObjectKind::Registered;
  first.died_ns = test::SessionBuilder::kStarted + 50;
  model::Object second = first;
  second.name = "second";
  second.born_ns = first.died_ns;
  second.died_ns = UINT64_MAX;
  resolver.add(first);
  resolver.add(second);
  builder.write(process, 10, kPage);
  builder.write(process, 60, kPage);
  builder.write(process, 70, kPage);
  const Summary& summary = join();
  EXPECT_EQ(object(summary, "first").breaks, 1U);
  EXPECT_EQ(object(summary, "second").breaks, 2U);
}

TEST_F(AnalysisJoin, WithoutAnObjectTheMappingIsOne) {
  const auto process = builder.process(1, "p");
  model::Mapping heap;
  heap.start = heap.brk_start = kPage;
  heap.end = heap.brk_end = kPage + 4 * kPageSize;
  model::Resolution event;
  event.mapping = builder.mapping(heap);
  builder.write(process, 1, kPage + 0x123, event);
  heap.end = heap.brk_end = kPage + 8 * kPageSize;  // it grew
  event.mapping = builder.mapping(heap);
  builder.write(process, 2, kPage + 6 * kPageSize, event);
  const Summary& summary = join();
  ASSERT_EQ(summary.objects.size(), 1U);
  EXPECT_EQ(summary.objects[0].kind, model::ObjectKind::Mapping);
  EXPECT_EQ(summary.objects[0].name, "[heap]");
  EXPECT_EQ(summary.objects[0].address, kPage);
  EXPECT_EQ(summary.objects[0].size, 8 * kPageSize);
  EXPECT_EQ(summary.objects[0].breaks, 2U);
  ASSERT_EQ(summary.mappings.size(), 1U);
  EXPECT_EQ(summary.mappings[0].label, "[heap]");
  EXPECT_EQ(summary.mappings[0].copied_bytes, 2 * kPageSize);
}

TEST_F(AnalysisJoin, ObjectsAreOrderedByCopiedBytesThenName) {
  const auto process = builder.process(1, "p");
  resolver.add("b", kPage, 8);
  resolver.add("a", kPage + kPageSize, 8);
  resolver.add("most", kPage + 2 * kPageSize, 8);
  for (std::uint64_t i = 0; i < 3; ++i) builder.write(process, i, kPage + i * kPageSize);
  builder.write(process, 9, kPage + 2 * kPageSize);
  const Summary& summary = join();
  std::vector<std::string> names;
  for (const auto& object : summary.objects) {
    EXPECT_EQ(object.id.value, names.size());
    names.push_back(object.name);
  }
  EXPECT_THAT(names, ElementsAre("most", "a", "b"));
}

TEST_F(AnalysisJoin, TimelineHasIncrementsInABoundedNumberOfBuckets) {
  const auto parent = builder.process(1, "p");
  const auto child = builder.process(2, "c", parent);
  builder.session.capture.duration_ns = 1'000;
  for (std::uint64_t t = 0; t <= 1'000; t += 10) builder.write(parent, t, kPage + t * kPageSize);
  builder.write(child, 5, kPage);
  builder.write(child, 6, kPage, of(Mechanism::Reuse));
  const Summary& summary = join({10});
  EXPECT_EQ(summary.timeline_bucket_ns, 100U);
  ASSERT_EQ(summary.timeline.size(), 11U);
  std::uint64_t breaks = 0;
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(summary.timeline[i].process, parent);
    EXPECT_EQ(summary.timeline[i].t_ns, i * 100);
    breaks += summary.timeline[i].breaks;
  }
  EXPECT_EQ(breaks, 101U);
  EXPECT_EQ(summary.timeline[10].process, child);
  EXPECT_EQ(summary.timeline[10].breaks, 1U);
  EXPECT_EQ(summary.timeline[10].copied_bytes, kPageSize);
}

TEST_F(AnalysisJoin, TheTimelineGoesToTheEndOfTime) {
  const auto process = builder.process(1, "p");
  builder.session.capture.started_ns = 0;
  builder.session.capture.duration_ns = UINT64_MAX;
  builder.write(process, 1, kPage);
  const Summary& summary = join({10});
  EXPECT_EQ(summary.timeline_bucket_ns, UINT64_MAX / 10 + 1);
  ASSERT_EQ(summary.timeline.size(), 1U);
  EXPECT_EQ(summary.timeline[0].t_ns, 0U);
}

TEST_F(AnalysisJoin, DetailCountsGivesObjectsAndMappingsButNoSitesAndNoTimeline) {
  const auto process = builder.process(1, "p");
  resolver.add("table", kPage, 0x100);
  model::PageCount row;
  row.page = kPage;
  row.last_address = kPage + 8;
  row.count = 7;
  row.size = kPageSize;
  row.first_ns = test::SessionBuilder::kStarted + 1;
  row.last_ns = test::SessionBuilder::kStarted + 9;
  builder.newest_space(process).page_counts.push_back(row);
  builder.session.capture.detail = "counts";
  builder.session.capture.totals.count[0] = 7;
  builder.session.capture.totals.bytes[0] = 7 * kPageSize;
  const Summary& summary = join();
  EXPECT_EQ(summary.totals.breaks, 7U);
  EXPECT_EQ(summary.processes[0].copied_bytes, 7 * kPageSize);
  EXPECT_EQ(object(summary, "table").breaks, 7U);
  EXPECT_THAT(summary.sites, IsEmpty());
  EXPECT_THAT(summary.timeline, IsEmpty());
  EXPECT_EQ(summary.totals.by_mechanism[0].latency, std::nullopt);
  EXPECT_THAT(summary.capture.notes, IsEmpty());
}

TEST_F(AnalysisJoin, ASpaceWithoutAKnownOwnerBelongsToNoProcess) {
  const auto process = builder.process(1, "p");
  builder.write(process, 1, kPage);
  builder.newest_space(process).owner = model::ProcessKey(99);
  const Summary& summary = join();
  EXPECT_EQ(summary.processes[0].breaks, 0U);
  EXPECT_EQ(summary.totals.breaks, 1U);
}

}  // namespace
}  // namespace cowtrace
