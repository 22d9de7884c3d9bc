// SPDX-License-Identifier: Apache-2.0
// Workers that take themselves apart before they end, and copy what they are about to give back.
// Evidence: breaks of forked processes while they ended (Phase::Ending). Bound: all of these, for a process that ends by
// _exit() runs neither exit handlers nor destructors.
#include <fmt/format.h>

#include "analysis/advice/advices.h"

namespace cowtrace::analysis {

std::optional<Finding> end_at_once(const Evidence& evidence) {
  BreakCount all;
  std::uint64_t processes = 0, with_python = 0;
  for (const ProcessSummary& process : evidence.summary.processes) {
    if (!process.forked_from || process.ending.breaks == 0) continue;
    all.add(process.ending.breaks, process.ending.bytes);
    ++processes;
    if (!process.python.empty()) ++with_python;
  }
  if (!evidence.is_worth_it(all.bytes)) return std::nullopt;
  const bool only_python = with_python == processes;
  return Finding{fmt::format("{} copied {} while ending: exit handlers, destructors and the end of an interpreter write to memory that is "
                             "given back right afterwards. End workers at once when their work is done and their output is flushed: {}; "
                             "or let a signal end them that they do not catch.",
                             counted(processes, "forked process", "forked processes"), counted(all.breaks, "shared page", "shared pages"),
                             only_python ? "os._exit() instead of sys.exit(), skip-atexit in uWSGI"
                                         : "_exit() in C, os._exit() in Python, exit! in Ruby, POSIX::_exit() in Perl, or your server's option "
                                           "for it (skip-atexit in uWSGI)"),
                 all.bytes};
}

}  // namespace cowtrace::analysis
