// SPDX-License-Identifier: Apache-2.0
// Workers that take themselves apart before they end, and copy what they are about to give back.
// Evidence: breaks of forked processes while they ended (Phase::Ending). Bound: all of these, for a
// process that ends by _exit() runs neither exit handlers nor destructors.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <map>

#include "analysis/advice/advices.h"
#include "analysis/ending_functions.h"

namespace cowtrace::analysis {

namespace {

// Runtimes that are not here have no such call.
struct Cure {
  EndingRuntime runtime;
  std::string_view call;
};
constexpr std::array kCures = {
    Cure{EndingRuntime::Python, "os._exit() instead of sys.exit() in Python, skip-atexit in uWSGI"},
    Cure{EndingRuntime::Ruby, "exit! instead of exit in Ruby"},
    Cure{EndingRuntime::Perl, "POSIX::_exit() instead of exit in Perl"},
    Cure{EndingRuntime::C, "_exit() instead of exit() in C"},
};
using ByRuntime = std::map<EndingRuntime, std::uint64_t>;  // bytes

// An interpreter says more than the C library, which most of them end by.
std::optional<EndingRuntime> runtime_of(const SiteSummary& site) {
  std::optional<EndingRuntime> found;
  for (const model::StackFrame* frame : site.frames) {
    if (frame->python) return EndingRuntime::Python;
    for (const EndingFunction& row : kEndingFunctions)
      if (frame->function == row.function && (!found || *found == EndingRuntime::C))
        found = row.runtime;
  }
  return found;
}

ByRuntime by_runtime(const Summary& summary) {
  ByRuntime bytes;
  for (const SiteSummary& site : summary.sites)
    if (const auto runtime = runtime_of(site); runtime && site.ending.breaks != 0)
      bytes[*runtime] += site.ending.bytes;
  return bytes;
}

// Of what is known to be of some runtime: a stack that was cut short may not tell.
std::uint64_t sum_of(const ByRuntime& bytes) {
  std::uint64_t sum = 0;
  for (const auto& [runtime, of_runtime] : bytes) sum += of_runtime;
  return sum;
}

std::string cures(ByRuntime& bytes) {
  constexpr std::uint64_t kShare = 10;  // what is less than a tenth is not worth a word
  const std::uint64_t all = sum_of(bytes);
  std::vector<std::string_view> calls;
  for (const Cure& cure : kCures)
    if (bytes[cure.runtime] > all / kShare) calls.push_back(cure.call);
  if (calls.empty())  // no stack tells
    return "_exit() in C, os._exit() in Python, exit! in Ruby, POSIX::_exit() in Perl, or your "
           "server's option for it (skip-atexit in uWSGI)";
  return fmt::format("{}", fmt::join(calls, "; "));
}

}  // namespace

std::optional<Finding> end_at_once(const Evidence& evidence) {
  BreakCount all;
  std::uint64_t processes = 0;
  for (const ProcessSummary& process : evidence.summary.processes) {
    if (!process.forked_from || process.ending.breaks == 0) continue;
    all.add(process.ending.breaks, process.ending.bytes);
    ++processes;
  }
  if (!evidence.is_worth_it(all.bytes)) return std::nullopt;
  std::string text = fmt::format(
      "{} copied {} while ending: exit handlers, destructors and the end of an interpreter write "
      "to memory that is given back right afterwards. ",
      counted(processes, "forked process", "forked processes"),
      counted(all.breaks, "shared page", "shared pages"));
  ByRuntime bytes = by_runtime(evidence.summary);
  // A backend that ends by a signal is a crash, after which its server ends all others.
  if (bytes[EndingRuntime::PostgreSql] > sum_of(bytes) / 2)
    return Finding{text +
                       "PostgreSQL cannot be told to leave that out, and takes a process that a "
                       "signal ends for a crash: let connections live longer, with a pooler, so "
                       "that fewer processes end.",
                   all.bytes};
  text += fmt::format(
      "End workers at once when their work is done and their output is flushed: {}; or let a "
      "signal end them that they do not catch.",
      cures(bytes));
  return Finding{std::move(text), all.bytes};
}

}  // namespace cowtrace::analysis
