// SPDX-License-Identifier: Apache-2.0
// Whether the user wants the reports now. A signal handler sets it (pipeline/ending.h); long work
// looks at it from time to time.
#pragma once

#include <atomic>

namespace cowtrace {

namespace detail {
inline std::atomic<int> interrupted_by{0};
inline std::atomic<bool> heeds_interrupts{false};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler sets it");
}  // namespace detail

// The signal that wants them; 0: none does.
[[nodiscard]] inline int interrupted_by() {
  return detail::interrupted_by.load(std::memory_order_relaxed);
}

// Leaves work that is to be given up half-way. An exception, for the work is deep inside joins and
// reporters, which have nothing to do with signals.
struct Interrupted {};

// As long as it lives, check_interrupt() throws when there was a signal.
class HeedInterrupts {
 public:
  HeedInterrupts() { detail::heeds_interrupts = true; }
  HeedInterrupts(const HeedInterrupts&) = delete;
  HeedInterrupts& operator=(const HeedInterrupts&) = delete;
  ~HeedInterrupts() { detail::heeds_interrupts = false; }
};

// As long as it lives, HeedInterrupts has no effect: what is written here cannot be taken back.
class HoldInterrupts {
 public:
  HoldInterrupts() : before_(detail::heeds_interrupts.exchange(false)) {}
  HoldInterrupts(const HoldInterrupts&) = delete;
  HoldInterrupts& operator=(const HoldInterrupts&) = delete;
  ~HoldInterrupts() { detail::heeds_interrupts = before_; }

 private:
  bool before_;
};

inline void check_interrupt() {
  if (interrupted_by() != 0 && detail::heeds_interrupts) throw Interrupted{};
}

}  // namespace cowtrace
