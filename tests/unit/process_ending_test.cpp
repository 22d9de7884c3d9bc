// SPDX-License-Identifier: Apache-2.0
#include "process/ending.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace cowtrace {
namespace {

std::string status(const std::string& state, const std::string& pending,
                   const std::string& blocked = "0", const std::string& ignored = "0",
                   const std::string& caught = "0", const std::string& shared = "0") {
  return "Name:\tState:\nUmask:\t0022\nState:\t" + state + "\nSigQ:\t0/1\nSigPnd:\t" + pending +
         "\nShdPnd:\t" + shared + "\nSigBlk:\t" + blocked + "\nSigIgn:\t" + ignored +
         "\nSigCgt:\t" + caught + "\n";
}

TEST(Ending, ByASignalThatNothingStops) {
  EXPECT_FALSE(process::is_ending(status("S (sleeping)", "0")));
  EXPECT_TRUE(process::is_ending(status("S (sleeping)", "0000000000000100")));
  EXPECT_TRUE(
      process::is_ending(status("t (tracing stop)", "0", "0", "0", "0", "0000000000000100")));
  // SIGTERM is 0x4000, SIGCHLD 0x10000.
  EXPECT_TRUE(process::is_ending(status("R (running)", "4000")));
  EXPECT_FALSE(process::is_ending(status("R (running)", "4000", "4000")));
  EXPECT_FALSE(process::is_ending(status("R (running)", "4000", "0", "4000")));
  EXPECT_FALSE(process::is_ending(status("R (running)", "4000", "0", "0", "4000")));
  EXPECT_FALSE(process::is_ending(status("S (sleeping)", "10000")));
  // SIGKILL cannot be blocked.
  EXPECT_TRUE(process::is_ending(status("R (running)", "100", "ffffffffffffffff")));
}

TEST(Ending, AZombieHasEnded) {
  EXPECT_FALSE(process::is_ending(status("Z (zombie)", "100")));
  EXPECT_FALSE(process::is_ending(""));
  EXPECT_FALSE(process::is_ending("State: R"));
  EXPECT_FALSE(process::is_ending(getpid()));
}

// Nothing is pending any more then.
TEST(Ending, ThatHasTakenItsSignal) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    raise(SIGSTOP);
    pause();
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL), 0);
  EXPECT_FALSE(process::is_ending(child));
  ASSERT_EQ(ptrace(PTRACE_CONT, child, nullptr, SIGTERM), 0);
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status >> 8, SIGTRAP | PTRACE_EVENT_EXIT << 8);
  EXPECT_TRUE(process::is_ending(child));
  ptrace(PTRACE_CONT, child, nullptr, 0);
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_FALSE(process::is_ending(child));
}

}  // namespace
}  // namespace cowtrace
