// SPDX-License-Identifier: Apache-2.0
// How much, what is missing from the answer, and what was captured.
#include <fmt/format.h>

#include <vector>

#include "base/units.h"
#include "report/headline.h"
#include "report/text_sections.h"

namespace cowtrace::report {

namespace {

void print_field(const TextContext& context, std::string_view name, std::string_view value) {
  constexpr std::size_t kNameWidth = 12;
  const std::size_t room = context.options.width - kNameWidth;
  context.out << fmt::format("  {:<{}}{}\n", name, kNameWidth - 2, fitted(value, room, Cut::End));
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
