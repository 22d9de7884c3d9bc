// SPDX-License-Identifier: Apache-2.0
#include "scenario/bystander.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace scenario {

Result<Bystander> Bystander::fork() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return unavailable("cannot make a pipe", std::strerror(errno), "raise the limit of open files");
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(ends[1]);
    char none = 0;
    while (::read(ends[0], &none, 1) < 0 && errno == EINTR) {
    }
    ::_exit(0);
  }
  ::close(ends[0]);
  if (pid < 0) {
    ::close(ends[1]);
    return unavailable("cannot fork", std::strerror(errno), "raise the limits");
  }
  return Bystander(pid, ends[1]);
}

Bystander::Bystander(Bystander&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), leash_(std::exchange(other.leash_, -1)) {}

Bystander::~Bystander() {
  if (pid_ == 0) return;
  ::close(leash_);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace scenario
