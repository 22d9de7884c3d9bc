// SPDX-License-Identifier: Apache-2.0
#include "pipeline/signals.h"

#include <unistd.h>

namespace cowtrace::pipeline {
namespace {

bool is_ignored(int number) {
  struct sigaction action {};
  return sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

Signals::Signals(bool resizes) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGCHLD);
  // What the caller ignores (nohup, a background job) is ignored still: blocked, it would be queued for us.
  for (const int number : {SIGINT, SIGQUIT, SIGTERM, SIGHUP})
    if (!is_ignored(number)) sigaddset(&mask, number);
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
  sigprocmask(SIG_SETMASK, &before_, nullptr);
}

bool Signals::next(signalfd_siginfo& info) const { return read(fd_.get(), &info, sizeof(info)) == sizeof(info); }

}  // namespace cowtrace::pipeline
