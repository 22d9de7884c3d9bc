// SPDX-License-Identifier: Apache-2.0
#include "capture/preemption.h"

#include <sys/utsname.h>

#include <fstream>
#include <string>

namespace cowtrace::capture {

bool preempts(std::string_view version, std::string_view modes) {
  if (version.find("PREEMPT") == std::string_view::npos) return false;
  return modes.find("(none)") == std::string_view::npos &&
         modes.find("(voluntary)") == std::string_view::npos;
}

bool kernel_preempts() {
  utsname system{};
  if (uname(&system) != 0) return true;
  std::ifstream file("/sys/kernel/debug/sched/preempt");
  std::string modes;
  std::getline(file, modes);
  return preempts(system.version, modes);
}

}  // namespace cowtrace::capture
