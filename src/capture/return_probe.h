// SPDX-License-Identifier: Apache-2.0
// A kprobe on the return of a function that many tasks may be in at the same time.
#pragma once

#include <cstdint>
#include <istream>
#include <string>
#include <vector>

#include "base/result.h"

namespace cowtrace::capture {

// The kernel follows so many calls at a time as the probe was made for, and misses the return of
// more without a word. perf's kprobes get two for each CPU (at least ten since 6.1), and a task
// that sleeps in a fault holds one: too few. One that is defined in tracefs gets as many as it asks
// for. It goes with this object, or, where cowtrace was killed, with the next one that is made.
class ReturnProbe {
 public:
  // `symbol` is the name in kallsyms.
  static Result<ReturnProbe> create(const std::string& symbol);
  ReturnProbe(ReturnProbe&& other) noexcept;
  ReturnProbe& operator=(ReturnProbe&&) = delete;
  ~ReturnProbe();

  // A new perf event on it.
  [[nodiscard]] Result<int> open() const;
  // Returns that the kernel could not follow.
  [[nodiscard]] std::uint64_t missed() const;

 private:
  explicit ReturnProbe(std::string directory, std::string name) : directory_(std::move(directory)), name_(std::move(name)) {}

  std::string directory_;  // of tracefs
  std::string name_;       // of the event, empty: moved from
};

// Probes in `events` (the format of tracefs' kprobe_events) that cowtraces with these pids have
// made: (pid, event).
std::vector<std::pair<int, std::string>> return_probes(std::istream& events);
// Column 3 of `profile` (the format of tracefs' kprobe_profile) for an event, 0 where it is not
// there.
std::uint64_t missed_of(std::istream& profile, const std::string& event);

}  // namespace cowtrace::capture
