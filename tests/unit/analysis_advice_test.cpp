// SPDX-License-Identifier: Apache-2.0
// Each advice with its evidence and without it.
#include "analysis/advice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "analysis/advice/evidence.h"
#include "support/advice_fixture.h"

namespace cowtrace {
namespace {

using analysis::Advice;
using model::Cause;
using model::Mechanism;
using test::AnalysisAdvice;
using test::kEnough;
using test::kHeap;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST_F(AnalysisAdvice, NothingIsAdvisedWithoutBreaks) {
  EXPECT_THAT(advice(), IsEmpty());
}

TEST_F(AnalysisAdvice, EachIdHasAPage) {
  EXPECT_EQ(analysis::advice_ids().size(), 9U);
  for (const std::string_view id : analysis::advice_ids())
    EXPECT_TRUE(std::filesystem::exists(std::string(COWTRACE_TEST_DATA) + "/../" +
                                        analysis::path_of(Advice{std::string(id), "", {}})))
        << id;
}

TEST_F(AnalysisAdvice, WhatIsLittleIsNotWorthASentence) {
  break_pages(one, 63, Cause::GcHeader);
  EXPECT_THAT(advice(), IsEmpty());
}

TEST_F(AnalysisAdvice, WhatIsLittleOfAllIsNotWorthASentence) {
  break_pages(one, kEnough, Cause::GcHeader);
  break_pages(two, 20 * kEnough + 1, Cause::Native);
  EXPECT_THAT(advice(), IsEmpty());
}

TEST_F(AnalysisAdvice, TheMostSavingComesFirst) {
  python_object("app.ROWS[7]", "float", "app.ROWS[...]");
  break_pages(one, kEnough, Cause::GcHeader);
  break_pages(two, 2 * kEnough, Cause::Refcount);
  const auto rows = advice();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].id, "refcounts");
  EXPECT_EQ(rows[1].id, "gc-freeze");
}

TEST_F(AnalysisAdvice, LostEventsMayHaveBeenAnything) {
  break_pages(one, kEnough, Cause::GcHeader);
  builder.lose(one);
  builder.lose(two);
  EXPECT_EQ(saves("gc-freeze"), (kEnough + 2) * kPageSize);
}

// -- gc-freeze
// ------------------------------------------------------------------------------------------------------------------

TEST_F(AnalysisAdvice, CollectionsInWorkersAskForFreeze) {
  break_pages(one, kEnough, Cause::GcHeader);
  break_pages(two, kEnough, Cause::GcHeader);
  const auto row = advice("gc-freeze");
  ASSERT_TRUE(row);
  EXPECT_EQ(row->saves_at_most_bytes, 2 * kEnough * kPageSize);
  EXPECT_THAT(row->text,
              AllOf(HasSubstr("200 shared pages in 2 processes"), HasSubstr("gc.freeze()")));
}

TEST_F(AnalysisAdvice, AllThatACollectionBreaksCountsForFreeze) {
  break_pages(one, kEnough, Cause::GcHeader);
  model::Resolution collecting;
  collecting.gc_collecting = true;
  break_pages(one, 10, Cause::Value, collecting, kHeap + kEnough * kPageSize);
  break_pages(one, 5, Cause::Value, {}, kHeap + 2 * kEnough * kPageSize);
  EXPECT_EQ(saves("gc-freeze"), (kEnough + 10) * kPageSize);
}

TEST_F(AnalysisAdvice, AThreadThatWritesWhileAnotherCollectsIsNoCollection) {
  model::Resolution collecting;
  collecting.gc_collecting = true;
  break_pages(one, kEnough, Cause::Value, collecting);
  EXPECT_FALSE(advice("gc-freeze"));
}

TEST_F(AnalysisAdvice, TheLastCollectionsOfAnInterpreterAreNotSavedByFreeze) {
  break_pages(one, kEnough, Cause::GcHeader, ending());
  EXPECT_FALSE(advice("gc-freeze"));
  break_pages(one, kEnough, Cause::GcHeader, {}, kHeap + kEnough * kPageSize);
  EXPECT_EQ(saves("gc-freeze"), kEnough * kPageSize);
}

TEST_F(AnalysisAdvice, WhoForksOftenIsToFreezeOnce) {
  for (int pid = 4; pid <= 10; ++pid) builder.process(pid, "python3", parent);
  break_pages(one, kEnough, Cause::GcHeader);
  EXPECT_THAT(advice("gc-freeze")->text, Not(HasSubstr("freeze once")));
  builder.process(11, "python3", parent);
  EXPECT_THAT(advice("gc-freeze")->text, HasSubstr("It forks 10 times: freeze once"));
}

// -- end-at-once
// ----------------------------------------------------------------------------------------------------------------

TEST_F(AnalysisAdvice, WorkersThatTakeThemselvesApartAreToEndAtOnce) {
  break_pages(one, kEnough, Cause::Refcount, ending());
  break_pages(one, 7, Cause::Refcount, {}, kHeap + kEnough * kPageSize);
  break_pages(two, 10, Cause::Container, ending());
  const auto row = advice("end-at-once");
  ASSERT_TRUE(row);
  EXPECT_EQ(row->saves_at_most_bytes, (kEnough + 10) * kPageSize);
  EXPECT_THAT(row->text,
              AllOf(HasSubstr("2 forked processes copied 110 shared pages"), HasSubstr("_exit()")));
}

class AnalysisAdviceEnd : public AnalysisAdvice {
 protected:
  // What is advised where a function ended the workers.
  std::string ended_by(std::string function) {
    model::StackFrame frame;
    frame.function = std::move(function);
    resolver.name(0x7100, {frame});
    model::Resolution event = ending();
    event.stack = builder.stack(one, {0x7000, 0x7100});
    break_pages(one, kEnough, Cause::Unknown, event);
    const auto row = advice("end-at-once");
    return row ? row->text : std::string();
  }
};

TEST_F(AnalysisAdviceEnd, NamesTheCallOfTheRuntimeThatEnds) {
  EXPECT_THAT(
      ended_by("Perl_my_exit"),
      AllOf(HasSubstr("POSIX::_exit()"), HasSubstr("let a signal end"), Not(HasSubstr("Python"))));
}

TEST_F(AnalysisAdviceEnd, DoesNotAdviseACrash) {
  EXPECT_THAT(ended_by("proc_exit"),
              AllOf(HasSubstr("pooler"), Not(HasSubstr("let a signal end"))));
}

TEST_F(AnalysisAdvice, TheEndOfTheParentIsNoWorkers) {
  break_pages(parent, kEnough, Cause::Refcount, ending());
  EXPECT_FALSE(advice("end-at-once"));
}

TEST_F(AnalysisAdvice, WhatAnEndBreaksWasNotRead) {
  python_object("app.ROWS[7]", "str", "app.ROWS[...]");
  break_pages(one, kEnough, Cause::Refcount, ending());
  break_pages(two, kEnough, Cause::Container, ending());
  EXPECT_FALSE(advice("refcounts"));
  EXPECT_FALSE(advice("per-request-writes"));
  // An array would have saved that too, where something was read.
  break_pages(two, kEnough, Cause::Refcount, {}, kHeap + kEnough * kPageSize);
  const auto row = advice("refcounts");
  ASSERT_TRUE(row);
  EXPECT_EQ(row->saves_at_most_bytes, 2 * kEnough * kPageSize);
  EXPECT_THAT(row->text, AllOf(HasSubstr("100 shared pages were broken"),
                               HasSubstr("100 pages more of these items were broken while")));
}

// -- refcounts
// ------------------------------------------------------------------------------------------------------------------

TEST_F(AnalysisAdvice, ItemsOfALargeContainerAskForArrays) {
  python_object("app.ROWS[7]\x1b", "float", "app.ROWS[...]");
  break_pages(one, kEnough, Cause::Refcount);
  break_pages(one, 7, Cause::Value, {}, kHeap + kEnough * kPageSize);
  const auto row = advice("refcounts");
  ASSERT_TRUE(row);
  EXPECT_EQ(row->saves_at_most_bytes, kEnough * kPageSize);
  EXPECT_THAT(row->text,
              AllOf(HasSubstr("the items of app.ROWS counted"), HasSubstr("100 shared pages")));
}

TEST_F(AnalysisAdvice, AContainerThatIsChangedAsWellCannotBeAnArray) {
  model::Object list;
  list.kind = model::ObjectKind::Python;
  list.address = kHeap - kPageSize;
  list.size = 64;
  list.name = "app.ROWS";
  list.type = "list";
  resolver.add(list);
  python_object("app.ROWS[7]", "float", "app.ROWS[...]");
  break_pages(one, kEnough, Cause::Refcount);
  EXPECT_TRUE(advice("refcounts"));
  break_pages(one, 1, Cause::Container, ending(), list.address);
  EXPECT_TRUE(advice("refcounts"));
  break_pages(one, 1, Cause::Container, {}, list.address);
  EXPECT_FALSE(advice("refcounts"));
}

TEST_F(AnalysisAdvice, ObjectsWithoutANameAreToldByTheLineThatReads) {
  python_object("<str>", "str");
  resolver.name_code(0x9000, "serve", "/srv/app.py");
  model::Resolution reading;
  reading.stack = builder.stack(one, {0x1000}, false, {{0x9000, 12, 0}});
  break_pages(one, kEnough, Cause::Refcount, reading);
  const auto row = advice("refcounts");
  ASSERT_TRUE(row);
  EXPECT_EQ(row->saves_at_most_bytes, kEnough * kPageSize);
  EXPECT_THAT(row->text, HasSubstr("Reading objects without a name (app.py:12) counted"));
}

TEST_F(AnalysisAdvice, WhatIsInNoContainerAsksForNone) {
  python_object("app.ROW", "float");
  break_pages(one, kEnough, Cause::Refcount);
  EXPECT_FALSE(advice("refcounts"));
}

TEST_F(AnalysisAdvice, WhatTheInterpreterHasOnceIsNobodysItem) {
  python_object("app.ROWS[7]", "int", "app.ROWS[...]", true);
  break_pages(one, kEnough, Cause::Refcount);
  EXPECT_FALSE(advice("refcounts"));
}

// -- immortal-objects
// -----------------------------------------------------------------------------------------------------------

TEST_F(AnalysisAdvice, OldInterpretersCountReferencesToNone) {
  python_object("sys.pycache_prefix", "NoneType", {}, true);
  builder.session.process(one).python = "3.9.2";
  builder.session.process(two).python = "3.11.2";
  break_pages(one, kEnough, Cause::Refcount);
  break_pages(two, kEnough, Cause::Refcount);
  const auto row = advice("immortal-objects");
  ASSERT_TRUE(row);
  EXPECT_EQ(row->saves_at_most_bytes, 2 * kEnough * kPageSize);
  EXPECT_THAT(row->text, HasSubstr("3.11.2, 3.9.2"));
}

TEST_F(AnalysisAdvice, NewInterpretersHaveNothingToGain) {
  python_object("sys.pycache_prefix", "NoneType", {}, true);
  for (const char* version : {"3.12.1", "3.14.0", "4.0", "", "3."}) {
    builder.session.process(one).python = version;
    if (builder.session.capture.events == 0) break_pages(one, kEnough, Cause::Refcount);
    EXPECT_FALSE(advice("immortal-objects")) << version;
  }
}

TEST_F(AnalysisAdvice, OtherObjectsStayMortal) {
  python_object("app.ROW", "float");
  builder.session.process(one).python = "3.11.2";
  break_pages(one, kEnough, Cause::Refcount);
  EXPECT_FALSE(advice("immortal-objects"));
}

// -- allocator-churn
// ------------------------------------------------------------------------------------------------------------

TEST_F(AnalysisAdvice, HolesThatAreFilledAreChurn) {
  break_pages(one, 3 * kEnough, Cause::Allocator);
  const auto row = advice("allocator-churn");
  ASSERT_TRUE(row);
  EXPECT_EQ(row->saves_at_most_bytes, 3 * kEnough * kPageSize);
  EXPECT_THAT(row->text, HasSubstr("300 inherited pages"));
}

TEST_F(AnalysisAdvice, WhoeverDoesMuchAlsoFillsHoles) {
  break_pages(one, 3 * kEnough, Cause::Allocator);
  break_pages(two, 9 * kEnough + 1, Cause::Native);
  EXPECT_FALSE(advice("allocator-churn"));
}

TEST_F(AnalysisAdvice, AFewFreeBlocksInEachWorkerAreUsual) {
  break_pages(one, 63, Cause::Allocator);
  break_pages(two, 63, Cause::Allocator);
  EXPECT_FALSE(advice("allocator-churn"));
}

// -- per-request-writes
// ---------------------------------------------------------------------------------------------------------

TEST_F(AnalysisAdvice, WhatEveryWorkerChangesIsNamed) {
  python_object("app.CACHE", "dict");
  break_pages(one, kEnough, Cause::Container);
  break_pages(two, kEnough, Cause::Value);
  const auto row = advice("per-request-writes");
  ASSERT_TRUE(row);
  EXPECT_EQ(row->saves_at_most_bytes, 2 * kEnough * kPageSize);
  EXPECT_THAT(row->text, AllOf(HasSubstr("2 workers"), HasSubstr("app.CACHE")));
}

TEST_F(AnalysisAdvice, LinksOfAnLruCacheHaveNoName) {
  python_object("<functools._lru_list_elem>", "functools._lru_list_elem");
  break_pages(one, kEnough, Cause::Value);
  break_pages(two, kEnough, Cause::Value);
  EXPECT_THAT(advice("per-request-writes")->text, HasSubstr("functools.lru_cache"));
}

TEST_F(AnalysisAdvice, WhatOneWorkerChangesIsItsOwnAffair) {
  python_object("app.CACHE", "dict");
  break_pages(one, kEnough, Cause::Container);
  break_pages(two, 1, Cause::Refcount);
  EXPECT_FALSE(advice("per-request-writes"));
}

TEST_F(AnalysisAdvice, WhatPythonItselfChangesIsNoRequest) {
  python_object("threading._active", "dict");
  break_pages(one, kEnough, Cause::Container);
  break_pages(two, kEnough, Cause::Container);
  EXPECT_FALSE(advice("per-request-writes"));
}

TEST_F(AnalysisAdvice, CodeThatRunsForTheFirstTimeIsNoRequest) {
  python_object("app.serve.__code__", "code");
  break_pages(one, kEnough, Cause::Value);
  break_pages(two, kEnough, Cause::Value);
  EXPECT_FALSE(advice("per-request-writes"));
}

// -- thp
// ------------------------------------------------------------------------------------------------------------------------

TEST_F(AnalysisAdvice, HugeCopiesAreWritesOfABasePage) {
  model::Resolution huge;
  huge.mechanism = Mechanism::HugetlbCopy;
  huge.size = 2U << 20;
  builder.write(one, 1, kHeap, huge);
  const auto row = advice("thp");
  ASSERT_TRUE(row);
  EXPECT_EQ(row->saves_at_most_bytes, (2U << 20) - kPageSize);
  EXPECT_THAT(row->text, HasSubstr("hugetlb"));
}

TEST_F(AnalysisAdvice, HugePagesForMemoryThatWasOnlyRead) {
  model::Resolution huge;
  huge.mechanism = Mechanism::HugeZeroFill;
  huge.size = 2U << 20;
  for (std::uint64_t i = 0; i < 3; ++i) builder.write(one, i, kHeap + i * huge.size, huge);
  const auto row = advice("thp");
  ASSERT_TRUE(row);
  EXPECT_EQ(row->saves_at_most_bytes, 3 * ((2U << 20) - kPageSize));
  EXPECT_THAT(row->text, AllOf(HasSubstr("3 writes took"), HasSubstr("MADV_NOHUGEPAGE")));
}

TEST_F(AnalysisAdvice, ATransparentHugePageThatIsSplitCostsABasePage) {
  model::Resolution split;
  split.mechanism = Mechanism::HugeSplit;
  split.size = 2U << 20;
  builder.write(one, 1, kHeap, split);
  builder.write(one, 2, kHeap);
  EXPECT_FALSE(advice("thp"));
}

// -- what all of them say
// -------------------------------------------------------------------------------------------------------

TEST(AnalysisAdviceEvidence, OnlyTheCostliestAreNamed) {
  std::vector<analysis::NamedCost> costs{
      {"a", {1, 10}}, {"b", {1, 40}}, {"c\x1b", {1, 30}}, {"d", {1, 20}}, {"e", {1, 5}}};
  EXPECT_EQ(analysis::costliest(costs), "b, c\\x1b, d and 2 more");
  costs.resize(2);
  EXPECT_EQ(analysis::costliest(costs), "b and c\\x1b");
  costs.resize(1);
  EXPECT_EQ(analysis::costliest(costs), "b");
  costs[0].name = std::string(59, 'x') + "\xc3\xb6" + std::string(1000, 'y');
  // In the middle, for names differ at their ends.
  EXPECT_EQ(analysis::costliest(costs), std::string(40, 'x') + "..." + std::string(20, 'y'));
  costs[0].name = std::string(39, 'x') + "\xc3\xb6" + std::string(1000, 'y') + "\xc3\xb6" +
                  std::string(19, 'z');
  EXPECT_EQ(analysis::costliest(costs),
            std::string(39, 'x') + "\xc3\xb6..." + "\xc3\xb6" + std::string(19, 'z'));
}

TEST(AnalysisAdviceEvidence, VersionsAreNumbers) {
  EXPECT_TRUE(analysis::is_since("3.11.2", 11));
  EXPECT_TRUE(analysis::is_since("3.11.2", 9));
  EXPECT_FALSE(analysis::is_since("3.9.18", 11));
  for (const char* none : {"", "3", "3.", "3.x", "2.7.18", "4.0"})
    EXPECT_FALSE(analysis::is_since(none, 0)) << none;
}

TEST(AnalysisAdviceEvidence, AContainerEndsWhereItsItemsBegin) {
  EXPECT_EQ(analysis::container_of("app.ROWS[...].name"), "app.ROWS");
  EXPECT_EQ(analysis::container_of("app.TREE['a'][...]['b'][...]"), "app.TREE['a']");
  EXPECT_EQ(analysis::container_of("app.ROW"), "");
}

}  // namespace
}  // namespace cowtrace
