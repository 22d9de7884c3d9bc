// SPDX-License-Identifier: Apache-2.0
#include "analysis/sites.h"

#include <gtest/gtest.h>

#include "support/fake_resolver.h"
#include "support/reported.h"
#include "support/session_builder.h"

namespace cowtrace {
namespace {

constexpr std::uint64_t kSitesPage = 0x30'0000;

class AnalysisSites : public ::testing::Test {
 protected:
  std::vector<analysis::SiteSummary> sites() {
    report = &test::reported(builder.finish(), resolver);
    return report->summary.sites;
  }
  static model::Resolution at(model::StackHash stack, std::uint64_t ip) {
    model::Resolution event;
    event.stack = stack;
    event.ip = ip;
    return event;
  }

  test::SessionBuilder builder;
  test::FakeResolver resolver;
  const analysis::Report* report = nullptr;  // of sites()
};

TEST_F(AnalysisSites, OneADistinctStackMostBytesFirst) {
  const auto parent = builder.process(1, "p");
  const auto child = builder.process(2, "c", parent);
  const auto rare = builder.stack(parent, {0x10, 0x20});
  const auto often = builder.stack(parent, {0x11, 0x20});
  builder.write(parent, 1, kSitesPage, at(rare, 0x10));
  builder.write(parent, 2, kSitesPage + kPageSize, at(often, 0x11));
  builder.write(child, 3, kSitesPage, at(often, 0x11));
  model::Resolution reuse = at(rare, 0x10);
  reuse.mechanism = model::Mechanism::Reuse;
  builder.write(child, 4, kSitesPage, reuse);
  const auto found = sites();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].stack, often);
  EXPECT_EQ(found[0].breaks, 2U);
  EXPECT_EQ(found[0].copied_bytes, 2 * kPageSize);
  EXPECT_EQ(found[1].stack, rare);
  EXPECT_EQ(found[1].breaks, 1U);
}

TEST_F(AnalysisSites, WithoutAStackTheInstructionPointerIsTheSite) {
  const auto parent = builder.process(1, "p");
  const auto child = builder.process(2, "c", parent);
  const model::StackHash lost(77);
  builder.write(parent, 1, kSitesPage, at({}, 0x10));
  builder.write(child, 2, kSitesPage, at(lost, 0x10));  // same image, same code
  builder.add_space(child);
  builder.write(child, 3, kSitesPage,
                at({}, 0x10));  // after exec it is other code, which nothing shows
  builder.write(child, 4, kSitesPage, at({}, 0));
  const auto found = sites();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].ip, 0x10U);
  EXPECT_EQ(found[0].breaks, 3U);
  analysis::SiteFrames frames(builder.session, report->facts.stack_names);
  EXPECT_EQ(frames.of(found[0]).size(), 1U);
  EXPECT_EQ(found[1].ip, 0U);
  EXPECT_TRUE(frames.of(found[1]).empty());
  EXPECT_EQ(found[1].breaks, 1U);
}

TEST_F(AnalysisSites, FramesAreNamedOnce) {
  const auto process = builder.process(1, "p");
  resolver.name(0x10, {{"inner", "a.c", 1, "/x", true, ""}, {"outer", "a.c", 2, "/x", false, ""}});
  const auto first = builder.stack(process, {0x10, 0x20}, true);
  const auto second = builder.stack(process, {0x10, 0x20, 0x20});
  builder.write(process, 1, kSitesPage, at(first, 0x10));
  builder.write(process, 2, kSitesPage + kPageSize, at(second, 0x10));
  builder.write(process, 3, kSitesPage + 2 * kPageSize, at(second, 0x10));
  const auto found = sites();
  EXPECT_EQ(resolver.frames_asked, 2);
  ASSERT_EQ(found.size(), 2U);
  analysis::SiteFrames frames(builder.session, report->facts.stack_names);
  const auto stack = frames.of(found[0]);
  ASSERT_EQ(stack.size(), 4U);
  EXPECT_EQ(stack[0]->function, "inner");
  EXPECT_EQ(stack[1]->function, "outer");
  EXPECT_EQ(stack[3]->function, "0x20");
  EXPECT_FALSE(frames.truncated(found[0]));
  EXPECT_EQ(frames.of(found[1]).size(), 3U);
  EXPECT_TRUE(frames.truncated(found[1]));
  EXPECT_EQ(resolver.frames_asked, 2);
}

TEST_F(AnalysisSites, PythonFramesMakeSitesOfTheirOwn) {
  resolver.name_code(0x100, "inner");
  resolver.name_code(0x200, "outer");
  const auto parent = builder.process(1, "p");
  const auto child = builder.process(2, "c", parent);
  const auto first = builder.stack(parent, {0x10, 0x20}, false, {{0x100, 5}, {0x200, 9}});
  const auto same = builder.stack(child, {0x10, 0x20}, false, {{0x100, 5}, {0x200, 9}});
  const auto other = builder.stack(parent, {0x10, 0x20}, false, {{0x100, 6}, {0x200, 9}});
  builder.write(parent, 1, kSitesPage, at(first, 0x10));
  builder.write(child, 2, kSitesPage, at(same, 0x10));
  builder.write(parent, 3, kSitesPage + kPageSize, at(other, 0x10));
  const auto found = sites();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].breaks, 2U);
  EXPECT_EQ(found[1].breaks, 1U);
}

// One line of source is one row, whatever instructions it is made of.
TEST_F(AnalysisSites, WhatHasTheSameNamesIsOneSite) {
  const auto parent = builder.process(1, "p");
  const auto child = builder.process(2, "c", parent);
  for (const std::uint64_t ip : {0x10, 0x11})
    resolver.name(ip, {{"Py_INCREF", "object.h", 502, "/usr/bin/python3", true, ""}});
  resolver.name(0x12, {{"Py_INCREF", "object.h", 502, "/usr/lib/libpython3.so", true, ""}});
  const auto often = builder.stack(parent, {0x10});
  const auto seldom = builder.stack(parent, {0x11}, true);
  const auto elsewhere = builder.stack(parent, {0x12});
  const auto gc = at(seldom, 0x11);
  builder.write(parent, 1, kSitesPage, at(often, 0x10));
  builder.write(parent, 2, kSitesPage + kPageSize, at(often, 0x10));
  builder.write(child, 3, kSitesPage, gc);
  for (std::uint64_t i = 0; i < 2; ++i)
    builder.write(child, 4 + i, kSitesPage + (i + 2) * kPageSize, at(elsewhere, 0x12));
  const analysis::Summary& summary = test::reported(builder.finish(), resolver).summary;
  ASSERT_EQ(summary.sites.size(), 2U);
  EXPECT_EQ(summary.sites[0].stack, often);
  EXPECT_EQ(summary.sites[0].breaks, 3U);
  EXPECT_EQ(summary.sites[0].processes, (std::vector{parent, child}));
  EXPECT_TRUE(summary.sites[0].truncated);
  EXPECT_EQ(summary.sites[1].breaks, 2U);
  EXPECT_FALSE(summary.sites[1].truncated);
  analysis::Touch touch;
  touch.space = &builder.session.spaces[0];
  touch.stack = seldom;
  EXPECT_EQ(summary.site_index.of(touch), 0U);
  touch.stack = elsewhere;
  EXPECT_EQ(summary.site_index.of(touch), 1U);
}

// The address of a function without a name is all that tells two of them apart.
TEST_F(AnalysisSites, FunctionsWithoutANameStayApart) {
  const auto process = builder.process(1, "p");
  builder.write(process, 1, kSitesPage, at(builder.stack(process, {0x10}), 0x10));
  builder.write(process, 2, kSitesPage + kPageSize, at(builder.stack(process, {0x20}), 0x20));
  EXPECT_EQ(sites().size(), 2U);
}

TEST_F(AnalysisSites, GenerationsOfForksRunOneImage) {
  std::vector<model::ProcessKey> generations = {builder.process(1, "p")};
  for (std::int32_t pid = 2; pid < 100; ++pid)
    generations.push_back(builder.process(pid, "c", generations.back()));
  for (const auto process : generations) builder.write(process, 1, kSitesPage, at({}, 0x10));
  const auto found = sites();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].breaks, generations.size());
}

TEST_F(AnalysisSites, SpacesThatAreForkedFromEachOtherEnd) {
  const auto first = builder.process(1, "a");
  const auto second = builder.process(2, "b", first);
  builder.session.process(first).forked_space = builder.session.process(second).spaces.front();
  builder.write(first, 1, kSitesPage, at({}, 0x10));
  builder.write(second, 2, kSitesPage, at({}, 0x10));
  EXPECT_EQ(sites().size(), 1U);
}

TEST_F(AnalysisSites, ASiteIsNamedInTheSpaceOfItsFirstBreak) {
  const auto parent = builder.process(1, "p");
  const auto early = builder.process(2, "c", parent);
  const auto late = builder.process(3, "c", parent);
  const auto of_late = builder.stack(late, {0x10, 0x20});
  const auto of_early = builder.stack(early, {0x10, 0x20});
  builder.write(early, 1, kSitesPage, at(of_early, 0x10));
  builder.write(late, 2, kSitesPage, at(of_late, 0x10));
  const auto found = sites();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].stack, of_early);
  EXPECT_EQ(found[0].processes, (std::vector{early, late}));
}

TEST_F(AnalysisSites, PythonFramesStandForTheInterpreters) {
  const auto process = builder.process(1, "p");
  model::StackFrame eval;
  eval.function = "_PyEval_EvalFrameDefault";
  eval.interpreter = true;
  resolver.name(0x20, {eval});
  resolver.name_code(0x100, "write_config");
  resolver.name_code(0x200, "main");
  const auto stack =
      builder.stack(process, {0x10, 0x20, 0x30}, true, {{0x100, 15}, {0x300, 1, 3}, {0x200, 40}});
  builder.write(process, 1, kSitesPage, at(stack, 0x10));
  const auto unnamed = builder.stack(process, {0x10, 0x30}, false, {{0x300, 1}});
  builder.write(process, 2, kSitesPage + kPageSize, at(unnamed, 0x10));
  const auto only = builder.stack(process, {}, false, {{0x300, 1}});
  builder.write(process, 3, kSitesPage + 2 * kPageSize, at(only, 0x10));
  const auto found = sites();
  ASSERT_EQ(found.size(), 3U);
  analysis::SiteFrames frames(builder.session, report->facts.stack_names);
  const auto mixed = frames.of(found[0]);
  ASSERT_EQ(mixed.size(), 3U);
  EXPECT_EQ(mixed[0]->function, "0x10");
  EXPECT_EQ(mixed[1]->function, "write_config");
  EXPECT_EQ(mixed[1]->line, 15U);
  EXPECT_EQ(mixed[2]->function, "main");
  EXPECT_FALSE(frames.truncated(found[0]));  // the native walk was, the Python one was not
  EXPECT_EQ(frames.of(found[1]).size(), 2U);
  // Nothing has a name: what wrote is known all the same.
  const auto fallback = frames.of(found[2]);
  ASSERT_EQ(fallback.size(), 1U);
  EXPECT_EQ(fallback[0]->function, "0x10");
}

}  // namespace
}  // namespace cowtrace
