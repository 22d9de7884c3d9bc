// SPDX-License-Identifier: Apache-2.0
// Signals as readable events, for as long as this lives.
#pragma once

#include <signal.h>
#include <sys/signalfd.h>

#include <vector>

#include "base/fd.h"

namespace cowtrace::pipeline {

class Signals {
 public:
  // SIGCHLD and those that ask a program to end. `resizes`: also those that tell of another size of the terminal. The terminal's stop signals
  // do not stop us.
  explicit Signals(bool resizes);
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals();

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] const sigset_t& before() const { return before_; }
  // Signals whose handling is to be given back to a command: as the default, and as ignored.
  [[nodiscard]] const std::vector<int>& changed() const { return changed_; }
  [[nodiscard]] const std::vector<int>& ignored() const { return ignored_; }
  // The next signal that is waiting; false if none is.
  bool next(signalfd_siginfo& info) const;

 private:
  sigset_t before_{};
  std::vector<int> changed_;
  std::vector<int> ignored_;
  Fd fd_;
};

}  // namespace cowtrace::pipeline
