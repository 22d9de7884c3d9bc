// SPDX-License-Identifier: Apache-2.0
#include "report/headline.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "report/text_layout.h"

namespace cowtrace::report {

namespace {

struct AuditSum {
  std::size_t audited = 0;
  std::uint64_t unexplained = 0;
};

AuditSum audit_sum(const analysis::Summary& summary) {
  AuditSum sum;
  for (const auto& process : summary.processes) {
    if (!process.audit) continue;
    ++sum.audited;
    sum.unexplained += process.audit->unexplained();
  }
  return sum;
}

std::string audit_verdict(const analysis::Summary& summary) {
  const AuditSum sum = audit_sum(summary);
  if (sum.audited == 0) return "not audited";
  if (sum.unexplained != 0)
    return counted(sum.unexplained, "private page", "private pages") + " UNEXPLAINED";
  if (sum.audited == summary.processes.size()) return "all explained";
  return fmt::format("all explained in the {} of {} processes that were audited",
                     human_count(sum.audited), human_count(summary.processes.size()));
}

std::string why_nothing_was_shared(std::size_t processes) {
  if (processes == 1)
    return "nothing was shared: the only process was started by exec and forked nothing";
  return fmt::format(
      "nothing was shared: each of the {} processes was started by exec, which begins with memory "
      "of its own (spawn, not fork)",
      human_count(processes));
}

// What was inherited; not where exact snapshots were given up, or of what still runs.
bool is_known_of_all(const analysis::Summary& summary) {
  return std::all_of(summary.processes.begin(), summary.processes.end(), [](const auto& process) {
    return !process.forked_from || process.inherited_bytes;
  });
}

// What was copied while programs ended, where that is more than a tenth: it is avoided in other
// ways than the rest.
std::string ending_part(const analysis::Totals& totals) {
  constexpr std::uint64_t kWorthSaying = 10;
  const std::uint64_t ending = totals.ending_bytes();
  if (ending <= totals.copied_bytes / kWorthSaying) return {};
  return fmt::format(", {} of it while ending", human_bytes(ending));
}

}  // namespace

bool nothing_was_shared(const analysis::Summary& summary) {
  return summary.totals.breaks == 0 && !summary.processes.empty() &&
         std::all_of(summary.processes.begin(), summary.processes.end(),
                     [](const auto& process) { return process.started_by_exec; });
}

std::string headline(const analysis::Summary& summary) {
  const analysis::Totals& totals = summary.totals;
  if (nothing_was_shared(summary)) return why_nothing_was_shared(summary.processes.size());
  std::string inherited;
  if (totals.inherited_bytes)
    inherited = fmt::format("{}{} inherited", is_known_of_all(summary) ? "" : "at least ",
                            human_bytes(*totals.inherited_bytes));
  if (totals.breaks == 0)
    return fmt::format("no shared page was broken by {}{}{}; {}",
                       counted(summary.processes.size(), "process", "processes"),
                       inherited.empty() ? "" : ": ", inherited, audit_verdict(summary));
  std::size_t breakers = 0;
  for (const auto& process : summary.processes) breakers += process.breaks != 0 ? 1 : 0;
  // All of them lost or not assigned: the totals still know that there were some.
  const std::string who =
      breakers == 0 ? "unknown processes" : counted(breakers, "process", "processes");
  const std::string ending = ending_part(totals);
  if (!inherited.empty()) inherited.insert(0, ending.empty() ? " of " : ", of ");
  return fmt::format("{} broke {}: {} copied{}{}; {}", who,
                     counted(totals.breaks, "shared page", "shared pages"),
                     human_bytes(totals.copied_bytes), ending, inherited, audit_verdict(summary));
}

std::vector<std::string> warnings(const analysis::Summary& summary) {
  const model::CaptureInfo& capture = summary.capture;
  std::vector<std::string> list;
  const auto warn = [&](std::uint64_t count, std::string_view one, std::string_view many) {
    if (count != 0) list.push_back(counted(count, one, many));
  };
  if (capture.lost_events != 0)
    list.push_back(fmt::format(
        "{} lost their detail: totals and counts per process hold them, the other sections do not; "
        "a larger --buffer loses fewer",
        counted(capture.lost_events, "resolution", "resolutions")));
  warn(capture.lost_control, "event about processes, mappings or stacks was lost",
       "events about processes, mappings or stacks were lost");
  warn(capture.undecodable_events, "event could not be decoded", "events could not be decoded");
  warn(capture.untracked_tasks, "new task could not be followed",
       "new tasks could not be followed");
  warn(capture.unfinished_faults, "write fault was begun but never seen to end",
       "write faults were begun but never seen to end");
  warn(audit_sum(summary).unexplained, "private page is explained by no event",
       "private pages are explained by no event");
  return list;
}

}  // namespace cowtrace::report
