// SPDX-License-Identifier: Apache-2.0
#include "capture/test_family.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <cerrno>

namespace cowtrace::capture {
namespace {

TEST(TestFamily, WritesInItsOwnCopies) {
  auto family = TestFamily::start();
  ASSERT_TRUE(family) << family.error().message();
  const pid_t first = family->first();
  EXPECT_EQ(kill(first, 0), 0);
  EXPECT_TRUE(family->run());
  // Waited for.
  EXPECT_EQ(kill(first, 0), -1);
  EXPECT_EQ(errno, ESRCH);
  for (const std::uintptr_t page : {family->page_of_first(), family->page_of_second()})
    EXPECT_EQ(*reinterpret_cast<const char*>(page), 1);
  ASSERT_NE(family->absent_page(), 0U);
  EXPECT_EQ(*reinterpret_cast<const char*>(family->absent_page()), 0);
}

TEST(TestFamily, LeavesNobodyBehind) {
  pid_t first = 0;
  {
    auto family = TestFamily::start();
    ASSERT_TRUE(family) << family.error().message();
    first = family->first();
  }
  EXPECT_EQ(waitpid(first, nullptr, 0), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(TestFamily, RunsWhereSigchldIsIgnored) {
  struct sigaction ignore = {}, before = {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGCHLD, &ignore, &before);
  auto family = TestFamily::start();
  EXPECT_TRUE(family && family->run());
  sigaction(SIGCHLD, &before, nullptr);
}

// As when the tracer is out of processes: not all was written, which is not the hooks' fault.
TEST(TestFamily, SaysThatItCouldNotWrite) {
  auto family = TestFamily::start();
  ASSERT_TRUE(family) << family.error().message();
  kill(family->first(), SIGKILL);
  siginfo_t ended{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(family->first()), &ended, WEXITED | WNOWAIT), 0);
  EXPECT_FALSE(family->run());
}

}  // namespace
}  // namespace cowtrace::capture
