// SPDX-License-Identifier: Apache-2.0
// The report for people: what a terminal shows after a run. The first line answers "how much"; what
// was lost or could not be seen comes right after it and once more at the end. All text of traced
// programs is made printable.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/units.h"
#include "report/text_sections.h"
#include "report/writers.h"

namespace cowtrace::report {

namespace {

constexpr std::array kSections = {
    &print_headline,  &print_warnings,   &print_capture,    &print_watches,
    &print_processes, &print_audit,      &print_mechanisms, &print_stalls,
    &print_causes,    &print_mappings,   &print_objects,    &print_neighbours,
    &print_sites,     &print_allocators, &print_advice,     &print_last_warning,
};

}  // namespace

Status write_text(const analysis::Report& report, const ReportOptions& options, std::ostream& out) {
  ReportOptions wide = options;
  // In less, the columns of numbers alone do not fit.
  wide.width = std::max<std::size_t>(options.width, 80);
  const TextContext context{report.summary, report.session, wide, out};
  for (const auto section : kSections) section(context);
  out << std::flush;
  if (!out) return fail("the text report is incomplete", "its file did not take all of it");
  return {};
}

void TextContext::paragraph(std::string_view text, Paint paint, std::size_t hanging) const {
  bool first = true;
  for (const std::string& line : wrapped(text, options.width - hanging)) {
    out << std::string(first ? 0 : hanging, ' ') << painted(line, paint, options.color) << '\n';
    first = false;
  }
}

void TextContext::and_more(std::size_t left_out, std::uint64_t breaks, std::uint64_t bytes) const {
  if (left_out == 0) return;
  out << fmt::format("  and {} more: {}, {} copied\n", human_count(left_out),
                     counted(breaks, "break", "breaks"), human_bytes(bytes));
}

}  // namespace cowtrace::report
