// SPDX-License-Identifier: Apache-2.0
#include "scenario/same_memory.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "scenario/memory.h"

namespace scenario {
namespace {

int do_work(void* work) {
  (*static_cast<const std::function<void()>*>(work))();
  return 0;
}

}  // namespace

Result<pid_t> run_in_same_memory(int flags, const std::function<void()>& work) {
  constexpr std::uint64_t kStack = 64ull << 10;
  const auto stack = map_private(kStack);
  if (!stack) return tl::unexpected<Failure>(stack.error());
  const pid_t pid = ::clone(do_work, *stack + kStack, CLONE_VM | SIGCHLD | flags,
                            const_cast<std::function<void()>*>(&work));
  if (pid < 0) return unavailable("cannot clone", std::strerror(errno), "raise the limits");
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return failed(fmt::format("process {} ended early", pid), fmt::format("status {:#x}", status));
  return pid;
}

}  // namespace scenario
