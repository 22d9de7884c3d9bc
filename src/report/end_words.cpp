// SPDX-License-Identifier: Apache-2.0
#include "report/end_words.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>

namespace cowtrace::report {

std::string end_words(const analysis::ProcessSummary& process) {
  if (!process.wait_status) return "it is not known how";
  const int status = static_cast<int>(*process.wait_status);
  if (!WIFSIGNALED(status)) return fmt::format("with status {}", WEXITSTATUS(status));
  const char* name = sigabbrev_np(WTERMSIG(status));
  return name != nullptr ? fmt::format("by SIG{}", name)
                         : fmt::format("by signal {}", WTERMSIG(status));
}

bool ran_another_program(const analysis::ProcessSummary& process) {
  // A command begins with its exec.
  return std::any_of(process.exec_ns.begin(), process.exec_ns.end(),
                     [&](std::uint64_t exec_ns) { return exec_ns > process.start_ns; });
}

}  // namespace cowtrace::report
