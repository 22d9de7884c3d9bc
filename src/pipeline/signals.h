// SPDX-License-Identifier: Apache-2.0
// Signals as readable events, until hand_over() or as long as this lives. Before and after,
// pipeline/ending.h has them.
#pragma once

#include <signal.h>
#include <sys/signalfd.h>

#include <vector>

#include "base/fd.h"

namespace cowtrace::pipeline {

class Signals {
 public:
  // SIGCHLD and those that ask a program to end. `resizes`: also those that tell of another size of
  // the terminal. The terminal's stop signals do not stop us.
  explicit Signals(bool resizes);
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals();

  [[nodiscard]] int fd() const { return fd_.get(); }
  // The next signal that is waiting; false if none is.
  bool next(signalfd_siginfo& info) const;
  // What waits is dropped, and from now on signals are no events any more. What they did to SIGCHLD
  // and the terminal's stops stays.
  void hand_over();

 private:
  sigset_t before_{};
  std::vector<int> changed_;
  std::vector<int> ignored_;
  Fd fd_;
};

}  // namespace cowtrace::pipeline
