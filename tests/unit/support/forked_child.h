// SPDX-License-Identifier: Apache-2.0
// A child that shares all memory with the test and does nothing until the test ends: what fork
// itself writes is written by then.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

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
    // Its first call of pause still writes: the dynamic linker binds the symbol. Asleep, it writes
    // nothing more.
    while (state() != 'S') ::usleep(200);
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
  // As in /proc/PID/stat. Without memory from the heap: a sanitizer gives each allocation other
  // memory, which the next child would have more.
  [[nodiscard]] char state() const {
    char text[512];
    std::snprintf(text, sizeof(text), "/proc/%d/stat", pid_);
    const int file = ::open(text, O_RDONLY | O_CLOEXEC);
    const ssize_t size = ::read(file, text, sizeof(text));
    ::close(file);
    const std::size_t name_end =
        std::string_view(text, size > 0 ? static_cast<std::size_t>(size) : 0).rfind(')');
    if (name_end == std::string_view::npos || name_end + 2 >= static_cast<std::size_t>(size))
      std::abort();
    return text[name_end + 2];
  }

  pid_t pid_ = -1;
};

}  // namespace cowtrace::test
