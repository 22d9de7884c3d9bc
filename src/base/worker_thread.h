// SPDX-License-Identifier: Apache-2.0
// Threads beside the one that reads signals.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <thread>
#include <utility>

namespace cowtrace {

// Runs `work` in a thread that takes no signals: they are for the thread that reads them.
template <typename Work>
[[nodiscard]] std::thread start_worker(Work&& work) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::forward<Work>(work));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace cowtrace
