// SPDX-License-Identifier: Apache-2.0
// When a thread ends its program, told from its stacks.
#include "analysis/endings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "support/fake_resolver.h"
#include "support/session_builder.h"

namespace cowtrace {
namespace {

constexpr std::uint64_t kWork = 0x1000, kMain = 0x2000, kExit = 0x3000, kFinalize = 0x4000,
                        kMember = 0x5000;
constexpr std::uint64_t kCode = 0x9000, kExitCode = 0xa000;

model::StackFrame function(std::string name) {
  model::StackFrame frame;
  frame.function = std::move(name);
  return frame;
}

class AnalysisEndings : public ::testing::Test {
 protected:
  AnalysisEndings() {
    resolver.name(kWork, {function("work")});
    resolver.name(kMain, {function("main")});
    resolver.name(kExit, {function("exit")});
    resolver.name(kFinalize, {function("Py_FinalizeEx")});
    resolver.name(kMember, {function("Game::exit(int)")});
    resolver.name_code(kCode, "serve");
    resolver.name_code(kExitCode, "_exit_function", "/usr/lib/python3.11/multiprocessing/util.py");
    process = builder.process(100, "program");
  }

  model::StackHash stack(std::vector<std::uint64_t> frames, std::vector<std::uint64_t> code = {},
                         bool truncated = false) {
    std::vector<model::PythonFrame> python;
    for (const std::uint64_t address : code) python.push_back({address, 1, 0});
    return builder.stack(process, std::move(frames), truncated, std::move(python));
  }

  // A break at each of these moments, in order: 1, 2, 3 and so on.
  std::vector<model::Ending> endings(const std::vector<model::StackHash>& stacks) {
    std::uint64_t time = 0;
    for (const model::StackHash one : stacks) {
      model::Resolution event;
      event.pid = event.tid = 100;
      event.stack = one;
      ++time;
      // Pages descend, for events are kept in their order.
      builder.write(process, time, (1000 - time) * kPageSize, event);
    }
    return analysis::find_endings(builder.finish(), resolver);
  }

  static std::uint64_t at(std::uint64_t moment) { return test::SessionBuilder::kStarted + moment; }

  test::SessionBuilder builder;
  test::FakeResolver resolver;
  model::ProcessKey process;
};

TEST_F(AnalysisEndings, NoneWithoutItsFunctions) {
  EXPECT_TRUE(endings({stack({kWork, kMain}), stack({kMember, kMain}), {}}).empty());
}

TEST_F(AnalysisEndings, ExitNeverReturns) {
  const auto found =
      endings({stack({kWork, kMain}), stack({kWork, kExit, kMain}), stack({kWork, kMain}), {}});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].tid, 100);
  EXPECT_EQ(found[0].from_ns, at(2));
  EXPECT_EQ(found[0].to_ns, UINT64_MAX);
}

TEST_F(AnalysisEndings, AnInterpretersEndReturnsAndIsOverWithTheNextWork) {
  const model::StackHash ends = stack({kWork, kFinalize, kMain});
  const auto found = endings(
      {ends, stack({kWork}, {}, true), stack({kWork}, {kCode}), ends, stack({kWork, kMain}), ends});
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].from_ns, at(1));
  EXPECT_EQ(found[0].to_ns, at(4));  // what was cut short in between proves no return
  EXPECT_EQ(found[1].from_ns, at(6));
  EXPECT_EQ(found[1].to_ns, at(6));
}

TEST_F(AnalysisEndings, ExitHandlersThatPythonRuns) {
  const auto found = endings(
      {stack({kWork}, {kCode}), stack({kWork}, {kExitCode, kCode}), {}, stack({kWork}, {kCode})});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].from_ns, at(2));
  EXPECT_EQ(found[0].to_ns, at(3));
}

TEST_F(AnalysisEndings, AForkedInterpreterThatHasLeftAllPythonCode) {
  resolver.name(0x6000, {function("Py_RunMain")});
  // The parent begins in this way.
  EXPECT_TRUE(endings({stack({kWork, 0x6000, kMain}), stack({kWork}, {kCode})}).empty());
  process = builder.process(100, "child", process);
  // Also before its Python code is found.
  const auto found = endings(
      {stack({kWork, 0x6000, kMain}), stack({kWork}, {kCode}), stack({kWork, 0x6000, kMain}), {}});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].from_ns, at(3));
  EXPECT_EQ(found[0].to_ns, at(4));
}

TEST_F(AnalysisEndings, AFunctionThatOnlyUnnamedOnesLieAboveItsCaller) {
  constexpr std::uint64_t kPool = 0x6000, kSpawn = 0x6100, kRequest = 0x6200, kUnnamed = 0x6300;
  resolver.name(kPool, {function("ngx_destroy_pool")});
  resolver.name(kSpawn, {function("ngx_spawn_process")});
  resolver.name(kRequest, {function("ngx_http_free_request")});
  EXPECT_TRUE(endings({stack({kWork, kPool, kUnnamed, kRequest, kUnnamed, kSpawn, kMain}),
                       stack({kPool, kUnnamed, kMain, kSpawn}), stack({kSpawn, kUnnamed, kPool})})
                  .empty());
  const auto found =
      endings({stack({kWork, kPool, kUnnamed, kUnnamed, kSpawn, kMain}), stack({kWork, kMain})});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].from_ns, at(1));
  EXPECT_EQ(found[0].to_ns, UINT64_MAX);
}

TEST_F(AnalysisEndings, WhatAnExitHandlerForksIsAtWork) {
  const model::ProcessKey parent = process;
  process = builder.process(100, "child", parent);
  EXPECT_TRUE(
      endings({stack({kWork, kExit, kMain}), stack({kWork, kMember, kExit, kMain})}).empty());
  process = builder.process(100, "another", parent);
  EXPECT_EQ(endings({stack({kWork, kMain}), stack({kWork, kExit, kMain})}).size(), 1U);
}

TEST_F(AnalysisEndings, OfTheThreadAlone) {
  model::Resolution other;
  other.pid = 100;
  other.tid = 101;
  other.stack = stack({kWork, kMain});
  builder.write(process, 9, 0x100000, other);
  const auto found = endings({stack({kWork, kExit, kMain})});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].tid, 100);
}

}  // namespace
}  // namespace cowtrace
