// SPDX-License-Identifier: Apache-2.0
// How much, what is missing from the answer, and what was captured.
#include <fmt/format.h>

#include <vector>

#include "base/units.h"
#include "report/text_sections.h"

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

std::string headline(const analysis::Summary& summary) {
  const analysis::Totals& totals = summary.totals;
  std::string inherited;
  if (totals.inherited_bytes) inherited = human_bytes(*totals.inherited_bytes) + " inherited";
  if (totals.breaks == 0)
    return fmt::format("no shared page was broken by {}{}{}; {}",
                       counted(summary.processes.size(), "process", "processes"),
                       inherited.empty() ? "" : ": ", inherited, audit_verdict(summary));
  std::size_t breakers = 0;
  for (const auto& process : summary.processes) breakers += process.breaks != 0 ? 1 : 0;
  // All of them lost or not assigned: the totals still know that there were some.
  const std::string who =
      breakers == 0 ? "unknown processes" : counted(breakers, "process", "processes");
  return fmt::format("{} broke {}: {} copied{}{}; {}", who,
                     counted(totals.breaks, "shared page", "shared pages"),
                     human_bytes(totals.copied_bytes), inherited.empty() ? "" : " of ", inherited,
                     audit_verdict(summary));
}

// Sentences about what this report does not know, the worst first.
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

void print_field(const TextContext& context, std::string_view name, std::string_view value) {
  constexpr std::size_t kNameWidth = 12;
  const std::size_t room = context.options.width - kNameWidth;
  context.out << fmt::format("  {:<{}}{}\n", name, kNameWidth - 2, fitted(value, room));
}

}  // namespace

void print_headline(const TextContext& context) {
  context.paragraph(headline(context.summary), Paint::Bold, 0);
}

void print_warnings(const TextContext& context) {
  for (const std::string& warning : warnings(context.summary))
    context.paragraph("! " + warning, Paint::Warning, 2);
  std::string unseen;
  for (const std::string& spot : context.summary.capture.blind_spots)
    unseen += (unseen.empty() ? "! not seen: " : "; ") + printable(spot);
  if (!unseen.empty()) context.paragraph(unseen, Paint::Warning, 2);
  for (const std::string& note : context.summary.capture.notes)
    context.paragraph("! " + printable(note), Paint::Warning, 2);
}

void print_capture(const TextContext& context) {
  const model::CaptureInfo& capture = context.summary.capture;
  std::string command;
  for (const std::string& word : capture.command)
    command += (command.empty() ? "" : " ") + printable(word);
  if (!command.empty()) print_field(context, "command", command);
  print_field(
      context, "captured",
      fmt::format("{} on Linux {} {}, backend {}", human_duration(capture.duration_ns),
                  printable(capture.kernel), printable(capture.arch), printable(capture.backend)));
  print_field(context, "events",
              fmt::format("{}, {} lost; detail {}, snapshot {}", human_count(capture.events),
                          human_count(capture.lost_events), printable(capture.detail),
                          printable(capture.snapshot)));
}

void print_last_warning(const TextContext& context) {
  const std::size_t count = warnings(context.summary).size();
  if (count == 0) return;
  context.out << '\n';
  context.paragraph(fmt::format("! this report is incomplete: see the {} at its top",
                                counted(count, "warning", "warnings")),
                    Paint::Warning, 2);
}

}  // namespace cowtrace::report
