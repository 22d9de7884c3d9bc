// SPDX-License-Identifier: Apache-2.0
#include "pipeline/signals.h"

#include <unistd.h>

#include "pipeline/ending.h"

namespace cowtrace::pipeline {

Signals::Signals(bool resizes) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGCHLD);
  // What is ignored (nohup) is ignored still: blocked, it would be queued for us.
  for (const int number : {SIGINT, SIGQUIT, SIGTERM, SIGHUP})
    if (Ending::obeys(number)) sigaddset(&mask, number);
  if (resizes) sigaddset(&mask, SIGWINCH);
  sigprocmask(SIG_BLOCK, &mask, &before_);
  // Ignored, the kernel would reap our children before we see how they ended.
  if (signal(SIGCHLD, SIG_DFL) == SIG_IGN) ignored_.push_back(SIGCHLD);
  for (const int number : {SIGTSTP, SIGTTIN, SIGTTOU})
    if (signal(number, SIG_IGN) != SIG_IGN) changed_.push_back(number);
  fd_ = Fd(signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK));
}

Signals::~Signals() {
  for (const int number : changed_) signal(number, SIG_DFL);
  for (const int number : ignored_) signal(number, SIG_IGN);
  if (fd_) sigprocmask(SIG_SETMASK, &before_, nullptr);
}

bool Signals::next(signalfd_siginfo& info) const {
  while (read(fd_.get(), &info, sizeof(info)) == sizeof(info))
    if (Ending::is_meant(static_cast<int>(info.ssi_signo), info.ssi_code)) return true;
  return false;
}

void Signals::hand_over() {
  signalfd_siginfo info{};
  while (next(info)) {
  }
  fd_.reset();
  sigprocmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace cowtrace::pipeline
