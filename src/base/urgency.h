// SPDX-License-Identifier: Apache-2.0
// Threads that others wait for, though they do little.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

namespace cowtrace {

// While it lives, this thread, and each that it starts, goes before others of usual priority, as
// far as the kernel allows it. Those that were started keep that: also when the thread has given up
// the privilege (CAP_SYS_NICE) meanwhile. Going back takes none.
class Urgency {
 public:
  Urgency() { setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), before_ + kNice); }
  ~Urgency() { setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), before_); }
  Urgency(const Urgency&) = delete;
  Urgency& operator=(const Urgency&) = delete;

 private:
  static constexpr int kNice = -10;
  int before_ = getpriority(PRIO_PROCESS, static_cast<id_t>(gettid()));
};

}  // namespace cowtrace
