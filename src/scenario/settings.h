// SPDX-License-Identifier: Apache-2.0
// Settings of the machine that an experiment changes for its own time. A process of its own puts
// them back when the experiment has ended, in whatever way, SIGKILL included. Experiments that look
// at settings take turns: one that puts its own back must not take away what another relies on.
#pragma once

#include <sys/types.h>

#include <set>
#include <string>

#include "scenario/failure.h"

namespace scenario {

class Settings {
 public:
  Settings() = default;
  ~Settings();
  Settings(const Settings&) = delete;
  Settings& operator=(const Settings&) = delete;

  // Waits for the turn, if this experiment has not had it yet; it ends with the process and its
  // guard. To be called before a setting is read for a decision; set() does.
  Result<void> take_turn();
  // Writes `value` to a file of /sys or /proc. The first call forks the guard: call it before there
  // is memory that must not be shared with anybody.
  Result<void> set(const std::string& path, const std::string& value);

 private:
  Result<void> start_guard();

  int turn_ = -1;
  int to_guard_ = -1;
  pid_t guard_ = 0;
  std::set<std::string> changed_;  // paths
};

// What a setting holds, without its newline; of a choice like "always [madvise] never" the chosen.
// Empty if there is no such file.
std::string read_setting(const std::string& path);

}  // namespace scenario
