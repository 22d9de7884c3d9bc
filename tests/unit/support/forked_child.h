// SPDX-License-Identifier: Apache-2.0
// A child that shares all memory with the test and does nothing until the test ends: what fork
// itself writes is written by then.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "process/proc_files.h"

namespace cowtrace::test {

class ForkedChild {
 public:
  ForkedChild() {
    int ready[2] = {-1, -1};
    if (::pipe(ready) != 0) std::abort();
    pid_ = ::fork();
    char byte = 0;
    if (pid_ == 0) {
      if (::write(ready[1], &byte, 1) != 1) ::_exit(1);
      for (;;) ::pause();
    }
    if (::read(ready[0], &byte, 1) != 1) std::abort();
    ::close(ready[0]);
    ::close(ready[1]);
    // Its first call of pause still writes: the dynamic linker binds the symbol. Asleep, it writes nothing more.
    for (char state = 0; state != 'S';) {
      const auto stat = process::read_stat(pid_);
      if (!stat) std::abort();
      state = stat->state;
    }
  }
  ForkedChild(const ForkedChild&) = delete;
  ForkedChild& operator=(const ForkedChild&) = delete;
  ~ForkedChild() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

}  // namespace cowtrace::test
