// SPDX-License-Identifier: Apache-2.0
#include "analysis/pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_resolver.h"
#include "support/reported.h"
#include "support/session_builder.h"

namespace cowtrace {
namespace {

using analysis::PageRow;
using model::Mechanism;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint64_t kFirstPage = 0x20'0000;

class AnalysisPages : public ::testing::Test {
 protected:
  // Copies of the rows: `mapping` and `actor` refer to the session, which lives as long as the
  // test.
  std::vector<PageRow> pages() {
    report = &test::reported(builder.finish(), resolver);
    std::vector<PageRow> rows;
    analysis::for_each_page(*report, [&](const PageRow& row) { rows.push_back(row); });
    return rows;
  }
  static model::Resolution of(Mechanism mechanism, std::uint64_t new_frame = 0) {
    model::Resolution event;
    event.mechanism = mechanism;
    event.new_frame = new_frame;
    return event;
  }

  test::SessionBuilder builder;
  test::FakeResolver resolver;
  const analysis::Report* report = nullptr;  // of pages()
};

TEST_F(AnalysisPages, OneRowAProcessAndPageInOrder) {
  const auto parent = builder.process(10, "p");
  const auto child = builder.process(11, "c", parent);
  builder.write(child, 5, kFirstPage + kPageSize);
  builder.write(child, 6, kFirstPage + 8);
  builder.write(child, 7, kFirstPage + 16);
  builder.write(parent, 1, kFirstPage);
  const auto rows = pages();
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].process, parent);
  EXPECT_EQ(rows[0].pid, 10);
  EXPECT_EQ(rows[1].process, child);
  EXPECT_EQ(rows[1].address, kFirstPage);
  EXPECT_EQ(rows[1].breaks, 2U);
  EXPECT_EQ(rows[1].first_ns, 6U);
  EXPECT_EQ(rows[1].last_ns, 7U);
  EXPECT_EQ(rows[1].written, kFirstPage + 16);
  EXPECT_EQ(rows[2].address, kFirstPage + kPageSize);
}

TEST_F(AnalysisPages, TheLastBreakDecidesNotTheLastEvent) {
  const auto process = builder.process(1, "p");
  builder.write(process, 1, kFirstPage + 1, of(Mechanism::ZeroFill, 0xa));
  builder.write(process, 2, kFirstPage + 2, of(Mechanism::Copy, 0xb));
  builder.write(process, 3, kFirstPage + 3, of(Mechanism::Reuse, 0xb));
  builder.write(process, 4, kFirstPage + kPageSize, of(Mechanism::ZeroFill, 0xc));
  builder.write(process, 5, kFirstPage + kPageSize, of(Mechanism::Reuse, 0xd));
  const auto rows = pages();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].written, kFirstPage + 2);
  EXPECT_EQ(rows[0].new_frame, 0xbU);
  EXPECT_EQ(rows[0].breaks, 1U);
  EXPECT_EQ(rows[0].first_ns, 1U);
  EXPECT_EQ(rows[0].last_ns, 3U);
  EXPECT_EQ(rows[0].by_mechanism[static_cast<std::size_t>(Mechanism::ZeroFill)], 1U);
  EXPECT_EQ(rows[0].by_mechanism[static_cast<std::size_t>(Mechanism::Reuse)], 1U);
  EXPECT_EQ(rows[1].breaks, 0U);
  EXPECT_EQ(rows[1].new_frame, 0xdU);
}

TEST_F(AnalysisPages, SpacesOfAProcessThatExecedAreMerged) {
  const auto process = builder.process(1, "p");
  builder.write(process, 1, kFirstPage, of(Mechanism::Copy, 0xa));
  builder.write(process, 2, kFirstPage + 2 * kPageSize);
  builder.add_space(process);
  builder.write(process, 10, kFirstPage + 1, of(Mechanism::Copy, 0xb));
  builder.write(process, 11, kFirstPage + kPageSize);
  const auto rows = pages();
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].breaks, 2U);
  EXPECT_EQ(rows[0].new_frame, 0xbU);
  EXPECT_EQ(rows[1].address, kFirstPage + kPageSize);
  EXPECT_EQ(rows[2].address, kFirstPage + 2 * kPageSize);
}

TEST_F(AnalysisPages, AHugePageIsOneEntryAtItsStart) {
  const auto process = builder.process(1, "p");
  model::Resolution huge = of(Mechanism::HugetlbCopy);
  huge.size = 2U << 20;
  builder.write(process, 2, kFirstPage + 5 * kPageSize + 3, huge);
  builder.write(process, 1, kFirstPage + 9 * kPageSize, huge);
  builder.write(process, 3, kFirstPage + 7 * kPageSize);  // a base page inside, of its own
  const auto rows = pages();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].address, kFirstPage);
  EXPECT_EQ(rows[0].size, 2U << 20);
  EXPECT_EQ(rows[0].breaks, 2U);
  EXPECT_EQ(rows[0].written, kFirstPage + 5 * kPageSize + 3);
  EXPECT_EQ(rows[1].address, kFirstPage + 7 * kPageSize);
  EXPECT_EQ(rows[1].size, kPageSize);
}

TEST_F(AnalysisPages, AnotherProcessThatWroteIsTheActor) {
  const auto parent = builder.process(1, "p");
  const auto child = builder.process(2, "vfork child", parent);
  builder.session.process(child).start_ns = test::SessionBuilder::kStarted + 5;
  model::Resolution event;
  event.pid = 2;
  builder.write(parent, 10, kFirstPage, event);
  event.pid = 99;
  builder.write(parent, 11, kFirstPage + kPageSize, event);
  builder.write(parent, 12, kFirstPage + 2 * kPageSize);
  const auto rows = pages();
  ASSERT_EQ(rows.size(), 3U);
  ASSERT_TRUE(rows[0].actor);
  EXPECT_EQ(rows[0].process, parent);
  EXPECT_EQ(rows[0].actor->pid, 2);
  EXPECT_EQ(rows[0].actor->command, "vfork child");
  ASSERT_TRUE(rows[1].actor);
  EXPECT_EQ(rows[1].actor->command, "");
  EXPECT_FALSE(rows[2].actor);
}

TEST_F(AnalysisPages, AnActorWithAReusedPidIsTheOneOfThatTime) {
  const auto owner = builder.process(1, "owner");
  builder.process(7, "first");
  const auto second = builder.process(7, "second");
  builder.session.process(second).start_ns = test::SessionBuilder::kStarted + 100;
  model::Resolution event;
  event.pid = 7;
  builder.write(owner, 50, kFirstPage, event);
  builder.write(owner, 150, kFirstPage + kPageSize, event);
  const auto rows = pages();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].actor->command, "first");
  EXPECT_EQ(rows[1].actor->command, "second");
}

TEST_F(AnalysisPages, AVisitorHasTheNameThatItHadWhenItActed) {
  const auto owner = builder.process(1, "owner");
  builder.process(7, "as forked");
  builder.session.visitors[7] = "renamed";
  model::Resolution event;
  event.pid = 7;
  builder.write(owner, 50, kFirstPage, event);
  const auto rows = pages();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].actor->command, "renamed");
}

TEST_F(AnalysisPages, ObjectAndNeighboursAreIdsOfTheSummary) {
  const auto process = builder.process(1, "p");
  resolver.add("second", kFirstPage + 0x200, 0x10);
  resolver.add("first", kFirstPage, 0x10);
  resolver.add("spans", kFirstPage + 0x300, kPageSize);
  builder.write(process, 1, kFirstPage + 4);
  builder.write(process, 2, kFirstPage + 0x204);
  builder.write(process, 3, kFirstPage + kPageSize + 0x800);
  const auto rows = pages();
  ASSERT_EQ(rows.size(), 2U);
  const auto id = [&](std::string_view name) {
    for (const auto& object : report->summary.objects)
      if (object.name == name) return object.id;
    return analysis::ObjectId(UINT32_MAX);
  };
  // Both were written on this page, so only the third is a neighbour; the last write names the
  // object.
  EXPECT_EQ(rows[0].object, id("second"));
  EXPECT_THAT(rows[0].neighbours, ElementsAre(id("spans")));
  EXPECT_EQ(rows[1].object, std::nullopt);
  EXPECT_THAT(rows[1].neighbours, ElementsAre(id("spans")));
}

TEST_F(AnalysisPages, ALostMappingIsFoundByAddress) {
  const auto process = builder.process(1, "p");
  model::Mapping file;
  file.start = kFirstPage;
  file.end = kFirstPage + kPageSize;
  file.inode = 3;
  file.path = "/lib/x.so";
  builder.mapping(file);
  model::Resolution event;
  event.mapping = model::MappingHash(12345);
  builder.write(process, 1, kFirstPage + 1, event);
  builder.write(process, 2, kFirstPage + kPageSize, event);
  const auto rows = pages();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].mapping, "/lib/x.so");
  EXPECT_TRUE(rows[0].object);
  EXPECT_EQ(rows[1].mapping, "");
  EXPECT_FALSE(rows[1].object);
}

TEST_F(AnalysisPages, DetailCountsGivesTheSameRows) {
  const auto process = builder.process(1, "p");
  model::PageCount copies;
  copies.page = kFirstPage;
  copies.count = 3;
  copies.size = kPageSize;
  copies.first_ns = test::SessionBuilder::kStarted + 4;
  copies.last_ns = test::SessionBuilder::kStarted + 8;
  copies.last_address = kFirstPage + 0x42;
  copies.old_frame = 1;
  copies.new_frame = 2;
  model::PageCount reuses = copies;
  reuses.mechanism = Mechanism::Reuse;
  reuses.count = 2;
  reuses.first_ns = reuses.last_ns = test::SessionBuilder::kStarted + 20;
  reuses.new_frame = 3;
  auto& space = builder.newest_space(process);
  space.page_counts = {reuses, copies};
  const auto rows = pages();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].breaks, 3U);
  EXPECT_EQ(rows[0].by_mechanism[static_cast<std::size_t>(Mechanism::Reuse)], 2U);
  EXPECT_EQ(rows[0].written, kFirstPage + 0x42);
  EXPECT_EQ(rows[0].new_frame, 2U);
  EXPECT_EQ(rows[0].first_ns, 4U);
  EXPECT_EQ(rows[0].last_ns, 20U);
  EXPECT_FALSE(rows[0].actor);
  EXPECT_THAT(rows[0].neighbours, IsEmpty());
}

}  // namespace
}  // namespace cowtrace
