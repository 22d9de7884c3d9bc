// SPDX-License-Identifier: Apache-2.0
// A kprobe on the return of a function that many tasks may be in at the same time.
#pragma once

#include <cstdint>
#include <istream>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace cowtrace::capture {

// The kernel follows so many calls at a time as the probe was made for, and misses the return of
// more without a word. perf's kprobes get one for each CPU (ten and more since 6.2), and a task
// that sleeps in a fault holds one: too few. One that is defined in tracefs gets as many as it asks
// for. It goes with this object, or, where cowtrace was killed, with the next one that is made in
// its pid namespace.
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
  ReturnProbe(std::string directory, std::string name, Fd commands)
      : directory_(std::move(directory)), name_(std::move(name)), commands_(std::move(commands)) {}

  std::string directory_;  // of tracefs
  std::string name_;       // of the event, empty: moved from
  Fd commands_;            // kprobe_events, opened while we may
};

// Probes in `events` (the format of tracefs' kprobe_events) that cowtraces of one pid namespace,
// named by its inode, have made: (pid, event). Those of others may live, and their pids say nothing
// here.
std::vector<std::pair<int, std::string>> return_probes(std::istream& events,
                                                       std::uint64_t pid_namespace);
// Column 3 of `profile` (the format of tracefs' kprobe_profile) for an event, 0 where it is not
// there.
std::uint64_t missed_of(std::istream& profile, const std::string& event);

}  // namespace cowtrace::capture
