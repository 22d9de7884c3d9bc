// SPDX-License-Identifier: Apache-2.0
#include "analysis/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/fake_resolver.h"
#include "support/reported.h"
#include "support/session_builder.h"

namespace cowtrace::analysis {
namespace {

using test::FakeResolver;
using test::SessionBuilder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A parent and its workers; everything that differs from run to run without meaning anything does:
// pids and addresses.
struct Program {
  std::uint64_t base = 0x10'0000;
  std::int32_t first_pid = 100;
  std::uint32_t workers = 2;
  std::uint64_t refcounts = 10;  // pages that each worker breaks
  std::uint32_t line = 7;        // of serve()
  std::int64_t started = 1;
  std::string file = "v1/app.py";
};

RunFigures run_of(const Program& program) {
  SessionBuilder builder;
  FakeResolver resolver;
  builder.session.capture.command = {"python3", "app.py"};
  builder.session.capture.backend = "static";
  builder.session.capture.kernel = "6.18";
  builder.session.capture.endings_known = true;
  builder.session.capture.started_at_unix_ns = program.started;
  const std::uint64_t code = program.base + 0x5000'0000;
  resolver.name(code, {{"update_refs", "gc.c", 12, "/usr/bin/python3", false, ""}});
  resolver.name_code(code + 0x100, "serve", program.file);
  const auto parent = builder.process(program.first_pid, "python3");
  for (std::uint32_t i = 0; i < 2 + program.refcounts; ++i) {
    model::Object item;
    item.kind = model::ObjectKind::Python;
    item.address = program.base + i * kPageSize;
    item.size = 64;
    item.name = "DATA[" + std::to_string(i) + "]";
    item.type = "str";
    item.group = "DATA[...]";
    resolver.add(item);
  }
  for (std::uint32_t worker = 0; worker < program.workers; ++worker) {
    const auto child = builder.process(program.first_pid + 1 + static_cast<std::int32_t>(worker),
                                       "python3", parent);
    // The second address has no name.
    const auto stack = builder.stack(child, {code, code + 0x900}, false, {});
    const auto python = builder.stack(child, {code}, false, {{code + 0x100, program.line, 0}});
    for (std::uint64_t page = 0; page < program.refcounts + 2; ++page) {
      model::Resolution event;
      event.stack = page < program.refcounts ? python : stack;
      event.cause = page < program.refcounts ? model::Cause::Refcount : model::Cause::Value;
      builder.write(child, 1000 * page, program.base + page * kPageSize + 8, event);
    }
  }
  builder.finish();
  const Summary& summary = test::reported(builder.session, resolver).summary;
  RunFigures figures = figures_of(summary);
  figures.trace = "run-" + std::to_string(program.started) + ".cow";
  return figures;
}

std::vector<RunFigures> runs_of(std::initializer_list<std::uint64_t> refcounts,
                                std::int64_t started) {
  std::vector<RunFigures> runs;
  for (const std::uint64_t count : refcounts) {
    const auto number = static_cast<std::uint64_t>(started);
    runs.push_back(run_of(
        {0x10'0000 * number, static_cast<std::int32_t>(100 * number), 2, count, 7, started}));
    ++started;
  }
  return runs;
}

const ChangedRow* find(const Comparison& comparison, Section section, const std::string& name) {
  const auto& rows = comparison.of(section);
  const auto found = std::find_if(rows.begin(), rows.end(),
                                  [&](const ChangedRow& row) { return row.name.name == name; });
  return found != rows.end() ? &*found : nullptr;
}

TEST(Spread, IsTheMedianAndTheRange) {
  EXPECT_EQ(spread_of({5}), (Spread{5, 5, 5}));
  EXPECT_EQ(spread_of({9, 1, 2}), (Spread{2, 1, 9}));
  EXPECT_EQ(spread_of({1, 9, 2, 5}), (Spread{3, 1, 9}));
  EXPECT_EQ(spread_of({UINT64_MAX, UINT64_MAX}), (Spread{UINT64_MAX, UINT64_MAX, UINT64_MAX}));
}

TEST(Noise, RangesHaveToBeFartherApartThanTheWiderIsWide) {
  const auto of = [](std::uint64_t least, std::uint64_t most) {
    return Spread{(least + most) / 2, least, most};
  };
  struct Case {
    Spread a, b;
    bool noise;
  };
  for (const Case& one : {Case{of(10, 12), of(11, 13), true},   // they overlap
                          Case{of(10, 12), of(12, 14), true},   // they touch
                          Case{of(10, 12), of(14, 15), true},   // as far apart as the wider is wide
                          Case{of(10, 12), of(15, 15), false},  // one more
                          Case{of(10, 20), of(15, 15), true},   // inside
                          Case{of(10, 10), of(11, 11), false},  // nothing varies
                          Case{of(10, 10), of(10, 10), true}}) {
    EXPECT_EQ(is_noise(one.a, one.b), one.noise)
        << one.a.least << ".." << one.a.most << " " << one.b.least << ".." << one.b.most;
    EXPECT_EQ(is_noise(one.b, one.a), one.noise);
  }
}

TEST(Compare, RowsOfOtherAddressesAndPidsAreTheSame) {
  const Comparison comparison = compare({run_of({})}, {run_of({0x7700'0000, 4000, 2, 10, 7, 2})});
  for (std::size_t section = 0; section < kSections; ++section) {
    EXPECT_FALSE(comparison.rows[section].empty()) << section;
    for (const ChangedRow& row : comparison.rows[section]) {
      EXPECT_EQ(row.bytes.difference, 0) << section << " " << row.name.name;
      EXPECT_EQ(row.breaks.difference, 0) << section << " " << row.name.name;
      EXPECT_EQ(row.items.difference, 0) << section << " " << row.name.name;
      EXPECT_EQ(row.bytes.noise, std::nullopt);
    }
  }
  EXPECT_EQ(comparison.of(Section::Sites).size(), 2U);
  EXPECT_THAT(comparison.warnings, IsEmpty());
  EXPECT_FALSE(comparison.noise_known);
}

TEST(Compare, TheDifferenceIsToldByCauseObjectSiteAndRole) {
  const Comparison comparison = compare({run_of({})}, {run_of({0x20'0000, 500, 2, 4, 7, 2})});
  constexpr std::int64_t kSaved = -2 * 6 * static_cast<std::int64_t>(kPageSize);
  EXPECT_EQ(comparison.copied_bytes.difference, kSaved);
  EXPECT_EQ(comparison.breaks.difference, -12);
  EXPECT_EQ(find(comparison, Section::Causes, "refcount")->bytes.difference, kSaved);
  EXPECT_EQ(find(comparison, Section::Causes, "value")->bytes.difference, 0);
  // The items of a container together, each counted once although two workers broke it.
  const ChangedRow* items = find(comparison, Section::Objects, "DATA[...]");
  ASSERT_NE(items, nullptr);
  EXPECT_EQ(items->bytes.difference, kSaved);
  EXPECT_EQ(items->items.before.median, 12U);
  EXPECT_EQ(items->items.after.median, 6U);
  EXPECT_EQ(find(comparison, Section::Types, "str")->bytes.difference, kSaved);
  EXPECT_EQ(comparison.of(Section::Sites).front().name.stack.back().function, "serve");
  EXPECT_EQ(comparison.of(Section::Sites).front().bytes.difference, kSaved);
  EXPECT_EQ(comparison.of(Section::Roles).front().name.generation, 1U);
  EXPECT_EQ(comparison.of(Section::Roles).front().items.before.median, 2U);
  EXPECT_EQ(comparison.of(Section::Roles).front().bytes.difference, kSaved);
  EXPECT_EQ(find(comparison, Section::Mechanisms, "copy")->breaks.difference, -12);
}

TEST(Compare, EverySectionOfBreaksAddsUpToTheTotals) {
  const Comparison comparison = compare({run_of({})}, {run_of({0x20'0000, 500, 3, 4, 7, 2})});
  for (const Section section : {Section::Causes, Section::Objects, Section::Types, Section::Sites,
                                Section::Mappings, Section::Roles}) {
    std::uint64_t before = 0;
    std::uint64_t after = 0;
    for (const ChangedRow& row : comparison.of(section)) {
      before += row.bytes.before.median;
      after += row.bytes.after.median;
    }
    EXPECT_EQ(before, comparison.copied_bytes.before.median) << static_cast<int>(section);
    EXPECT_EQ(after, comparison.copied_bytes.after.median) << static_cast<int>(section);
  }
}

TEST(Compare, SidesSwappedGiveTheNegative) {
  const Comparison there = compare(runs_of({30, 31, 29}, 1), runs_of({5, 6}, 4));
  const Comparison back = compare(runs_of({5, 6}, 4), runs_of({30, 31, 29}, 1));
  EXPECT_EQ(there.copied_bytes.difference, -back.copied_bytes.difference);
  for (std::size_t section = 0; section < kSections; ++section) {
    ASSERT_EQ(there.rows[section].size(), back.rows[section].size());
    for (std::size_t i = 0; i < there.rows[section].size(); ++i) {
      const Change& one = there.rows[section][i].bytes;
      const Change& other = back.rows[section][i].bytes;
      EXPECT_EQ(one.difference, -other.difference);
      EXPECT_EQ(one.before, other.after);
      EXPECT_EQ(one.after, other.before);
      EXPECT_EQ(one.noise, other.noise);
    }
  }
}

TEST(Compare, WhatVariesWithinASideIsNoise) {
  const Comparison same = compare(runs_of({10, 14, 12}, 1), runs_of({13, 11, 15}, 4));
  EXPECT_TRUE(same.noise_known);
  EXPECT_EQ(same.copied_bytes.noise, true);
  EXPECT_EQ(find(same, Section::Causes, "refcount")->bytes.noise, true);
  EXPECT_EQ(find(same, Section::Causes, "refcount")->bytes.before,
            (Spread{2 * 12 * kPageSize, 2 * 10 * kPageSize, 2 * 14 * kPageSize}));
  const Comparison other = compare(runs_of({10, 14, 12}, 1), runs_of({33, 31, 35}, 4));
  EXPECT_EQ(other.copied_bytes.noise, false);
  EXPECT_EQ(find(other, Section::Causes, "refcount")->bytes.noise, false);
  // What does not change is no finding either.
  EXPECT_EQ(find(other, Section::Causes, "value")->bytes.noise, true);
  EXPECT_EQ(other.of(Section::Causes).front().name.name, "refcount");
}

TEST(Compare, OneRunOnASideTellsNothingAboutNoise) {
  EXPECT_EQ(compare(runs_of({10, 11, 12}, 1), runs_of({30}, 4)).copied_bytes.noise, std::nullopt);
  EXPECT_EQ(compare(runs_of({10}, 1), runs_of({30, 31}, 4)).copied_bytes.noise, std::nullopt);
}

TEST(Compare, ARunThatHasNotARowCountsAsZero) {
  const Comparison comparison = compare(runs_of({0, 0, 8}, 1), runs_of({8, 8, 8}, 4));
  const ChangedRow* refcounts = find(comparison, Section::Causes, "refcount");
  EXPECT_EQ(refcounts->breaks.before, (Spread{0, 0, 16}));
  EXPECT_EQ(refcounts->breaks.after, (Spread{16, 16, 16}));
}

TEST(Compare, LinesThatMovedMakeNoOtherSite) {
  const Comparison comparison = compare({run_of({})}, {run_of({0x20'0000, 500, 2, 10, 9, 2})});
  ASSERT_EQ(comparison.of(Section::Sites).size(), 2U);
  const auto& rows = comparison.of(Section::Sites);
  const auto moved = std::find_if(rows.begin(), rows.end(), [](const ChangedRow& row) {
    return row.name.stack.back().function == "serve";
  });
  ASSERT_NE(moved, rows.end());
  EXPECT_EQ(moved->breaks.difference, 0);
  EXPECT_EQ(moved->name.stack.back().line, 0U);
  EXPECT_EQ(moved->name.stack.front().line, 12U)
      << "the line of the interpreter is the same on both sides";
}

TEST(Compare, FilesThatMovedMakeNoOtherSite) {
  const Comparison comparison =
      compare({run_of({})}, {run_of({0x20'0000, 500, 2, 10, 7, 2, "v2/app.py"})});
  ASSERT_EQ(comparison.of(Section::Sites).size(), 2U);
  for (const ChangedRow& row : comparison.of(Section::Sites)) {
    EXPECT_EQ(row.breaks.difference, 0);
    EXPECT_EQ(row.name.stack.front().file, "gc.c");
    if (row.name.stack.back().function == "serve") {
      EXPECT_EQ(row.name.stack.back().file, "");
    }
  }
}

TEST(Compare, LinesThatAreOnBothSidesStayApart) {
  std::vector<RunFigures> before = {run_of({}), run_of({0x20'0000, 500, 2, 10, 9, 2})};
  std::vector<RunFigures> after = {run_of({0x30'0000, 500, 2, 10, 9, 3}),
                                   run_of({0x40'0000, 500, 2, 10, 7, 4})};
  match_moved_code(before, after);
  for (const auto& [name, figures] : before.front().of(Section::Sites)) {
    if (name.stack.back().function == "serve") {
      EXPECT_EQ(name.stack.back().line, 7U);
    }
  }
}

TEST(Compare, RolesAreCommandAndGeneration) {
  SessionBuilder builder;
  FakeResolver resolver;
  const auto first = builder.process(1, "gunicorn");
  const auto worker = builder.process(2, "gunicorn", first);
  builder.process(3, "gunicorn", first);
  const auto helper = builder.process(4, "sh", worker);
  builder.process(5, "sh", helper);
  const RunFigures figures = figures_of(test::reported(builder.finish(), resolver).summary);
  std::vector<std::string> roles;
  for (const auto& [name, sum] : figures.of(Section::Roles))
    roles.push_back(name.name + " " + std::to_string(name.generation) + " x" +
                    std::to_string(sum.items));
  EXPECT_THAT(roles, ElementsAre("gunicorn 0 x1", "gunicorn 1 x2", "sh 2 x1", "sh 3 x1"));
}

TEST(Compare, RolesOfAFamilyThatDescendsFromItself) {
  SessionBuilder builder;
  FakeResolver resolver;
  const auto first = builder.process(1, "a");
  const auto second = builder.process(2, "b", first);
  builder.session.process(first).parent = second;
  const Summary& summary = test::reported(builder.finish(), resolver).summary;
  EXPECT_EQ(figures_of(summary).of(Section::Roles).size(), 2U);
}

TEST(Compare, WarnsOfWhatIsNotAlike) {
  RunFigures before = run_of({});
  RunFigures after = run_of({0x20'0000, 500, 3, 10, 7, 2});
  after.capture.command = {"python3", "evil\x1b[2J.py"};
  after.capture.kernel = "6.1";
  after.capture.backend = "kprobe";
  after.capture.detail = "counts";
  after.capture.snapshot = "off";
  after.capture.lost_events = 1;
  after.complete = false;
  before.pythons = {"3.11.2"};
  const auto warnings = comparability_warnings({before}, {after});
  EXPECT_THAT(
      warnings,
      ElementsAre("run-2.cow: its recording was cut off, 1 resolution lost its detail",
                  "the command differs: python3 app.py before, python3 evil\\x1b[2J.py after",
                  "the kernel differs: 6.18 before, 6.1 after",
                  "the backend differs: static before, kprobe after",
                  "--detail differs: events before, counts after",
                  "--snapshot differs: exact before, off after",
                  "the version of CPython differs: 3.11.2 before, nothing after",
                  "the number of processes differs: 3 before, 4 after"));
}

TEST(Compare, WarnsOfOneSideThatIsNotAlikeAndOfARunThatIsGivenTwice) {
  RunFigures other = run_of({0x20'0000, 500, 2, 10, 7, 2});
  other.capture.kernel = "6.1";
  const auto warnings = comparability_warnings({run_of({}), other}, {run_of({})});
  EXPECT_THAT(warnings, ElementsAre("run-1.cow and run-1.cow are the same run",
                                    "the kernel differs: 6.1 or 6.18 before, 6.18 after"));
}

TEST(Compare, AdviceThatCameOrWent) {
  std::vector<RunFigures> before = runs_of({10, 10}, 1);
  std::vector<RunFigures> after = runs_of({10, 10}, 3);
  before[0].advice = {{"gc-freeze", 100}, {"workers-fit", std::nullopt}};
  before[1].advice = {{"gc-freeze", 300}};
  after[0].advice = {{"preload", 50}};
  const Comparison comparison = compare(before, after);
  ASSERT_EQ(comparison.advice.size(), 3U);
  EXPECT_EQ(comparison.advice[0].id, "gc-freeze");
  EXPECT_EQ(comparison.advice[0].runs_before, 2U);
  EXPECT_EQ(comparison.advice[0].runs_after, 0U);
  EXPECT_EQ(comparison.advice[0].saves_before, (Spread{200, 100, 300}));
  EXPECT_EQ(comparison.advice[0].saves_after, std::nullopt);
  EXPECT_EQ(comparison.advice[1].id, "preload");
  EXPECT_EQ(comparison.advice[1].runs_after, 1U);
  EXPECT_EQ(comparison.advice[2].saves_before, std::nullopt);
}

TEST(Compare, InheritedIsComparedOnlyWhereAllRunsKnowIt) {
  RunFigures before = run_of({});
  RunFigures after = run_of({0x20'0000, 500, 2, 10, 7, 2});
  EXPECT_EQ(compare({before}, {after}).inherited_bytes, std::nullopt);
  before.inherited_bytes = 100;
  EXPECT_EQ(compare({before}, {after}).inherited_bytes, std::nullopt);
  after.inherited_bytes = 40;
  EXPECT_EQ(compare({before}, {after}).inherited_bytes->difference, -60);
}

}  // namespace
}  // namespace cowtrace::analysis
