// SPDX-License-Identifier: Apache-2.0
// What is advised of the family as a whole: what it should load before it forks, and how many
// workers fit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/advice_fixture.h"

namespace cowtrace {
namespace {

using model::Cause;
using test::AnalysisAdvice;
using test::kEnough;
using test::kHeap;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// -- preload
// --------------------------------------------------------------------------------------------------------------------

class AnalysisAdvicePreload : public AnalysisAdvice {
 protected:
  enum Code : std::uint64_t { kServe = 1, kMain, kImport, kModule };
  AnalysisAdvicePreload() {
    resolver.name_code(kServe, "serve");
    resolver.name_code(kMain, "main");
    resolver.name_code(kImport, "_find_and_load", "<frozen importlib._bootstrap>");
    resolver.name_code(kModule, "<module>", "/usr/lib/python3/decimal.py");
  }
  model::Resolution at(model::ProcessKey process, std::vector<model::PythonFrame> frames,
                       bool truncated = false) {
    model::Resolution event;
    event.stack = builder.stack(process, {0x1000 + process.value}, false, std::move(frames));
    builder.session.stacks.at(event.stack).python_truncated = truncated;
    return event;
  }
  const std::vector<model::PythonFrame> importing_{
      {kModule, 3, 0}, {kImport, 1007, 0}, {kServe, 12, 0}, {kMain, 40, 0}};
};

TEST_F(AnalysisAdvicePreload, TheSameImportInTwoWorkersIsNamedByWhereItBegan) {
  break_pages(one, kEnough, Cause::Refcount, at(one, importing_));
  break_pages(two, kEnough, Cause::Allocator, at(two, importing_));
  break_pages(two, 9, Cause::Allocator, at(two, {{kServe, 12, 0}, {kMain, 40, 0}}),
              kHeap + kEnough * kPageSize);
  const auto row = advice("preload");
  ASSERT_TRUE(row);
  EXPECT_EQ(row->saves_at_most_bytes, 2 * kEnough * kPageSize);
  EXPECT_THAT(row->text, AllOf(HasSubstr("2 processes imported"), HasSubstr("(app.py:12)")));
}

// It runs no line of the program before it forks, other than these modules.
TEST_F(AnalysisAdvicePreload, InAForkServerTheLinesBelongIntoThePreloadedModule) {
  resolver.name_code(kMain, "main", "/usr/lib/python3.11/multiprocessing/forkserver.py");
  break_pages(one, kEnough, Cause::Refcount, at(one, importing_));
  break_pages(two, kEnough, Cause::Refcount, at(two, importing_));
  break_pages(two, kEnough, Cause::GcHeader, at(two, {{kServe, 12, 0}, {kMain, 40, 0}}),
              kHeap + kEnough * kPageSize);
  for (const auto* id : {"preload", "gc-freeze"})
    EXPECT_THAT(advice(id)->text, HasSubstr("set_forkserver_preload()")) << id;
}

TEST_F(AnalysisAdvicePreload, AnImportInOneWorkerIsNotShared) {
  break_pages(one, kEnough, Cause::Refcount, at(one, importing_));
  break_pages(two, kEnough, Cause::Native, at(two, {{kServe, 12, 0}}));
  EXPECT_FALSE(advice("preload"));
}

TEST_F(AnalysisAdvicePreload, DifferentImportsAreNotTheSame) {
  break_pages(one, kEnough, Cause::Refcount, at(one, importing_));
  break_pages(two, kEnough, Cause::Refcount,
              at(two, {{kModule, 3, 0}, {kImport, 1007, 0}, {kServe, 99, 0}}));
  EXPECT_FALSE(advice("preload"));
}

TEST_F(AnalysisAdvicePreload, AStackThatEndsInsideAnImportDoesNotTellWhereItBegan) {
  const std::vector<model::PythonFrame> inside{
      {kModule, 3, 0}, {kImport, 1007, 0}, {kModule, 4, 0}};
  break_pages(one, kEnough, Cause::Refcount, at(one, inside, true));
  break_pages(two, kEnough, Cause::Refcount, at(two, inside, true));
  const auto row = advice("preload");
  ASSERT_TRUE(row);
  EXPECT_THAT(row->text, AllOf(HasSubstr("each for itself, and"), Not(HasSubstr("decimal"))));
}

TEST_F(AnalysisAdvicePreload, CodeThatIsSpecialisedAsksForAWarmUp) {
  python_object("app.serve.__code__", "code");
  for (const model::ProcessKey key : {one, two}) {
    builder.session.process(key).python = "3.11.2";
    break_pages(key, kEnough, Cause::Value);
  }
  break_pages(two, kEnough, Cause::Refcount, {}, kHeap + kEnough * kPageSize);
  const auto row = advice("preload");
  ASSERT_TRUE(row);
  EXPECT_EQ(row->saves_at_most_bytes, 2 * kEnough * kPageSize);
  EXPECT_THAT(row->text, AllOf(HasSubstr("rewrote their code on 200 shared pages"),
                               Not(HasSubstr("imported"))));
  // Counters of how often a function was called would go on: 3.10 and before.
  for (const model::ProcessKey key : {one, two}) builder.session.process(key).python = "3.10.13";
  EXPECT_FALSE(advice("preload"));
}

// -- workers-fit
// ----------------------------------------------------------------------------------------------------------------

class AnalysisAdviceWorkers : public AnalysisAdvice {
 protected:
  static constexpr std::uint64_t kMiB = 1U << 20;
  AnalysisAdviceWorkers() {
    for (const model::ProcessKey key : {one, two}) {
      model::Process& worker = builder.session.process(key);
      worker.fork_ns = worker.start_ns = test::SessionBuilder::kStarted + key.value;
      worker.exit_ns = test::SessionBuilder::kStarted + 1000;
      worker.inherited_bytes = 100 * kMiB;
      worker.still_shared_bytes = 90 * kMiB;
      worker.anonymous_bytes = 110 * kMiB;  // 20 MiB of its own, half of it copied
    }
    limit(1000 * kMiB, "/sys/fs/cgroup/app/memory.max");
  }
  void limit(std::uint64_t bytes, std::string of) {
    builder.session.capture.memory_limit = bytes;
    builder.session.capture.memory_limit_of = std::move(of);
  }
};

TEST_F(AnalysisAdviceWorkers, HowManyMoreWouldFit) {
  const auto row = advice("workers-fit");
  ASSERT_TRUE(row);
  EXPECT_FALSE(row->saves_at_most_bytes);
  // 100 + 2 * 20 now, 100 + 2 * 110 at worst; (1000 - 140) / 20 and (1000 - 320) / 110.
  EXPECT_THAT(row->text,
              AllOf(HasSubstr("2 workers at a time needed 140.0 MiB, 100.0 MiB of it shared"),
                    HasSubstr("had they copied all of that, 320.0 MiB"),
                    HasSubstr("43 more would fit into the 1000.0 MiB of "
                              "/sys/fs/cgroup/app/memory.max, 6 if all is copied")));
}

TEST_F(AnalysisAdviceWorkers, TooLittleRoomIsSaid) {
  limit(200 * kMiB, "/sys/fs/cgroup/app/memory.max");
  EXPECT_THAT(advice("workers-fit")->text, HasSubstr("3 more would fit into the 200.0 MiB"));
  EXPECT_THAT(advice("workers-fit")->text, HasSubstr("not, if all is copied"));
  limit(120 * kMiB, "/sys/fs/cgroup/app/memory.max");
  EXPECT_THAT(advice("workers-fit")->text, HasSubstr("more than the 120.0 MiB"));
}

TEST_F(AnalysisAdviceWorkers, AMachineWithRoomForAllNeedsNoWord) {
  limit(1000 * kMiB, "the machine");
  EXPECT_FALSE(advice("workers-fit"));
  limit(600 * kMiB, "the machine");
  EXPECT_TRUE(advice("workers-fit"));
}

TEST_F(AnalysisAdviceWorkers, WorkersThatLiveOneAfterTheOtherAreNone) {
  builder.session.process(one).exit_ns = builder.session.process(two).fork_ns;
  EXPECT_FALSE(advice("workers-fit"));
}

TEST_F(AnalysisAdviceWorkers, WithoutSnapshotsOrLimitNothingIsKnown) {
  builder.session.capture.memory_limit.reset();
  EXPECT_FALSE(advice("workers-fit"));
  limit(1000 * kMiB, "/sys/fs/cgroup/app/memory.max");
  builder.session.process(two).inherited_bytes.reset();
  EXPECT_FALSE(advice("workers-fit"));
}

}  // namespace
}  // namespace cowtrace
