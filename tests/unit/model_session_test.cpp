// SPDX-License-Identifier: Apache-2.0
#include "model/session.h"

#include <gtest/gtest.h>

namespace cowtrace::model {
namespace {

constexpr std::int32_t kParent = 100;
constexpr std::int32_t kChild = 101;
constexpr SpaceId kFirst{1};
constexpr SpaceId kSecond{2};

Exec exec(std::int32_t pid, SpaceId space, std::uint64_t time = 10, SpaceId old = {}) {
  Exec event;
  event.time_ns = time;
  event.pid = event.tid = pid;
  event.start_ns = static_cast<std::uint64_t>(pid);
  event.old_space = old;
  event.new_space = space;
  event.command = "program";
  return event;
}

Fork fork(std::int32_t child, SpaceId parent_space, SpaceId child_space, bool shares = false) {
  Fork event;
  event.time_ns = 20;
  event.parent_pid = event.parent_tid = kParent;
  event.child_pid = event.child_tid = child;
  event.child_start_ns = static_cast<std::uint64_t>(child);
  event.parent_space = parent_space;
  event.child_space = child_space;
  event.shares_memory = shares;
  return event;
}

Resolution copy(SpaceId space, std::int32_t pid, std::uint64_t address, std::uint64_t time) {
  Resolution event;
  event.space = space;
  event.pid = event.tid = pid;
  event.address = address;
  event.time_ns = time;
  event.size = 4096;
  return event;
}

Exit exit_of(std::int32_t pid, SpaceId space, std::uint64_t copies) {
  Exit event;
  event.time_ns = 90;
  event.pid = event.tid = pid;
  event.start_ns = static_cast<std::uint64_t>(pid);
  event.process_ended = true;
  event.counts.space = space;
  event.counts.count[0] = copies;
  event.counts.bytes[0] = copies * 4096;
  return event;
}

Attach attach(std::int32_t pid, std::int32_t parent, SpaceId space, SpaceId parent_space = {}) {
  Attach event;
  event.time_ns = 5;
  event.pid = pid;
  event.parent_pid = parent;
  event.start_ns = static_cast<std::uint64_t>(pid);
  event.space = space;
  event.parent_space = parent_space;
  event.command = "server";
  return event;
}

std::vector<Phase> phases_of(const Session& session, SpaceId space) {
  std::vector<Phase> phases;
  for (const Resolution& event : session.find_space(space)->resolutions)
    phases.push_back(event.phase);
  return phases;
}

TEST(Session, AProgramStartsUntilItForksForTheFirstTime) {
  Session session;
  session.apply(exec(kParent, kFirst));
  session.apply(copy(kFirst, kParent, 0x1000, 19));
  session.apply(copy(kFirst, kParent, 0x2000, 21));
  session.apply(fork(kChild, kFirst, kSecond));
  session.apply(copy(kSecond, kChild, 0x1000, 30));
  session.apply(exec(kChild, SpaceId{3}, 40, kSecond));  // a program that never forks
  session.apply(copy(SpaceId{3}, kChild, 0x1000, 50));
  session.finish();
  session.set_phases({});
  EXPECT_EQ(phases_of(session, kFirst), (std::vector{Phase::Starting, Phase::Running}));
  EXPECT_EQ(phases_of(session, kSecond), (std::vector{Phase::Running}));
  EXPECT_EQ(phases_of(session, SpaceId{3}), (std::vector{Phase::Starting}));
}

TEST(Session, WhatIsAttachedToHasStarted) {
  Session session;
  session.apply(attach(kParent, 1, kFirst));
  session.apply(copy(kFirst, kParent, 0x1000, 6));
  session.finish();
  session.set_phases({});
  EXPECT_EQ(phases_of(session, kFirst), (std::vector{Phase::Running}));
}

TEST(Session, EndingIsAMatterOfTheThreadAndTheTime) {
  Session session;
  session.apply(exec(kParent, kFirst));
  for (const std::uint64_t time : {30, 40, 50, 60, 70})
    session.apply(copy(kFirst, kParent, time * 0x1000, time));
  Resolution other = copy(kFirst, kParent, 80 * 0x1000, 45);
  other.tid = kParent + 7;
  session.apply(other);
  session.apply(fork(kChild, kFirst, kSecond));
  session.finish();
  // They overlap, and come in any order.
  session.set_phases(
      {{kParent, 70, UINT64_MAX}, {kChild, 0, UINT64_MAX}, {kParent, 45, 50}, {kParent, 40, 47}});
  ASSERT_EQ(session.endings.size(), 3U);
  EXPECT_EQ(session.endings[0].from_ns, 40U);
  EXPECT_EQ(session.endings[0].to_ns, 50U);
  EXPECT_EQ(phases_of(session, kFirst),
            (std::vector{Phase::Running, Phase::Ending, Phase::Ending, Phase::Running,
                         Phase::Ending, Phase::Running}));
}

TEST(Session, WhoRanAlreadyHasTheParentThatWasTold) {
  Session session;
  session.apply(attach(kParent, 1, kFirst));
  session.apply(attach(kChild, kParent, kSecond, kFirst));
  session.apply(attach(102, kParent, SpaceId{3}));  // has executed something since it was forked
  session.finish();
  ASSERT_EQ(session.processes.size(), 3U);
  const Process& parent = session.processes[0];
  EXPECT_FALSE(parent.parent || parent.forked_from);
  EXPECT_EQ(parent.start_ns, 5U);
  EXPECT_EQ(parent.command, "server");
  const Process& child = session.processes[1];
  EXPECT_EQ(child.parent, parent.key);
  EXPECT_EQ(child.forked_from, parent.key);
  EXPECT_EQ(child.forked_space, kFirst);
  EXPECT_FALSE(child.fork_ns);
  EXPECT_EQ(session.processes[2].parent, parent.key);
  EXPECT_FALSE(session.processes[2].forked_from);
  EXPECT_EQ(session.find_space(SpaceId{3})->owner, session.processes[2].key);
}

TEST(Session, WhoRunsInTheMemoryOfAnotherOwnsNone) {
  Session session;
  session.apply(attach(kParent, 1, kFirst));
  session.apply(attach(kChild, kParent, kFirst));
  session.apply(attach(kParent, kParent, kFirst));  // forged: its own parent
  session.finish();
  EXPECT_EQ(session.find_space(kFirst)->owner, session.processes[0].key);
  EXPECT_TRUE(session.processes[1].spaces.empty());
  EXPECT_TRUE(session.is_consistent());
}

TEST(Session, AProcessHasTheNameThatItEndedWith) {
  Session session;
  session.apply(exec(kParent, kFirst));
  session.apply(fork(kChild, kFirst, kSecond));
  Exit exit = exit_of(kChild, kSecond, 0);
  exit.command = "renamed";
  exit.process_ended = false;  // a thread: the process may be renamed again
  session.apply(exit);
  EXPECT_NE(session.processes.at(1).command, "renamed");
  exit.process_ended = true;
  session.apply(exit);
  EXPECT_EQ(session.processes.at(1).command, "renamed");
  exit.command.clear();
  session.apply(exit);
  EXPECT_EQ(session.processes.at(1).command, "renamed");
}

TEST(Session, AForkedChildOwnsItsOwnSpace) {
  Session session;
  session.apply(exec(kParent, kFirst));
  session.apply(fork(kChild, kFirst, kSecond));
  session.finish();
  ASSERT_EQ(session.processes.size(), 2u);
  const Process& child = session.processes[1];
  EXPECT_EQ(child.pid, kChild);
  EXPECT_EQ(child.forked_from, ProcessKey(0));
  EXPECT_EQ(child.forked_space, kFirst);
  EXPECT_EQ(session.find_space(kSecond)->owner, child.key);
}

TEST(Session, AVforkChildOwnsNothingUntilItExecs) {
  Session session;
  session.apply(exec(kParent, kFirst));
  session.apply(fork(kChild, kFirst, kFirst, true));
  EXPECT_TRUE(session.processes[1].spaces.empty());
  EXPECT_FALSE(session.processes[1].forked_from.has_value());
  session.apply(exec(kChild, kSecond, 30, kFirst));
  session.finish();
  EXPECT_EQ(session.processes[1].exec_ns, std::vector<std::uint64_t>{30});
  EXPECT_EQ(session.find_space(kSecond)->owner, session.processes[1].key);
  EXPECT_EQ(session.find_space(kFirst)->owner, session.processes[0].key);
}

TEST(Session, ThreadsAreNotProcesses) {
  Session session;
  session.apply(exec(kParent, kFirst));
  Fork thread = fork(102, kFirst, kFirst, true);
  thread.child_pid = kParent;
  thread.is_thread = true;
  session.apply(thread);
  session.finish();
  EXPECT_EQ(session.processes.size(), 1u);
}

// The two ring buffers are drained one after the other: a break may come before the fork that made
// its space.
TEST(Session, ABreakMayComeBeforeItsFork) {
  Session session;
  session.apply(exec(kParent, kFirst));
  session.apply(copy(kSecond, kChild, 0x5000, 25));
  session.apply(fork(kChild, kFirst, kSecond));
  session.finish();
  const AddressSpace* space = session.find_space(kSecond);
  ASSERT_NE(space, nullptr);
  EXPECT_EQ(space->owner, session.processes[1].key);
  EXPECT_EQ(space->resolutions.size(), 1u);
  EXPECT_EQ(session.capture.events, 1u);
}

TEST(Session, ASpaceWhoseForkWasLostGoesToWhoWroteThere) {
  Session session;
  session.apply(exec(kParent, kFirst));
  session.apply(copy(kSecond, kChild, 0x5000, 25));
  session.finish();
  ASSERT_EQ(session.processes.size(), 2u);
  EXPECT_EQ(session.processes[1].pid, kChild);
  EXPECT_EQ(session.find_space(kSecond)->owner, session.processes[1].key);
}

TEST(Session, AReusedPidIsAnotherProcess) {
  Session session;
  session.apply(exec(kParent, kFirst));
  session.apply(fork(kChild, kFirst, kSecond));
  session.apply(exit_of(kChild, kSecond, 1));
  Fork again = fork(kChild, kFirst, SpaceId(3));
  again.child_start_ns = 999;
  session.apply(again);
  session.finish();
  ASSERT_EQ(session.processes.size(), 3u);
  EXPECT_TRUE(session.processes[1].exit_ns.has_value());
  EXPECT_FALSE(session.processes[2].exit_ns.has_value());
  EXPECT_EQ(session.find_pid(kChild)->key, session.processes[2].key);
}

TEST(Session, CountersAreExactEvenWhenEventsWereLost) {
  Session session;
  session.apply(exec(kParent, kFirst));
  session.apply(copy(kFirst, kParent, 0x1000, 30));
  session.apply(exit_of(kParent, kFirst, 500));
  session.finish();
  EXPECT_EQ(session.find_space(kFirst)->counts.count[0], 500u);
  EXPECT_EQ(session.capture.events, 1u);
}

TEST(Session, ReceivedEventsCountWhereAThreadHasNotFlushedYet) {
  Session session;
  session.apply(exec(kParent, kFirst));
  session.apply(copy(kFirst, kParent, 0x1000, 30));
  session.apply(copy(kFirst, kParent, 0x2000, 31));
  session.finish();
  EXPECT_EQ(session.find_space(kFirst)->counts.count[0], 2u);
  EXPECT_EQ(session.find_space(kFirst)->counts.bytes[0], 8192u);
}

TEST(Session, FinishSortsByPageThenTime) {
  Session session;
  session.apply(exec(kParent, kFirst));
  for (const auto& [address, time] :
       {std::pair{0x2010ull, 5ull}, {0x1ff0ull, 9ull}, {0x2000ull, 7ull}, {0x1000ull, 8ull}})
    session.apply(copy(kFirst, kParent, address, time));
  session.finish();
  std::vector<std::uint64_t> times;
  for (const Resolution& event : session.find_space(kFirst)->resolutions)
    times.push_back(event.time_ns);
  EXPECT_EQ(times, (std::vector<std::uint64_t>{8, 9, 5, 7}));
}

TEST(Session, ExecCountsBelongToTheSpaceThatWasLeft) {
  Session session;
  session.apply(exec(kParent, kFirst));
  Exec again = exec(kParent, kSecond, 50, kFirst);
  again.counts.count[0] = 7;
  session.apply(again);
  session.finish();
  EXPECT_EQ(session.find_space(kFirst)->counts.count[0], 7u);
  EXPECT_EQ(session.find_space(kSecond)->counts.count[0], 0u);
  EXPECT_EQ(session.processes[0].spaces, (std::vector<SpaceId>{kFirst, kSecond}));
}

TEST(Mechanism, TheTableIsInTheOrderOfTheEnum) {
  for (std::size_t i = 0; i < kMechanisms; ++i)
    EXPECT_EQ(static_cast<std::size_t>(kMechanismTable[i].mechanism), i);
  EXPECT_TRUE(is_break(Mechanism::Copy));
  EXPECT_FALSE(is_break(Mechanism::Reuse));
  EXPECT_FALSE(is_break(Mechanism::FileCopy));
}

}  // namespace
}  // namespace cowtrace::model
