// SPDX-License-Identifier: Apache-2.0
#include "report/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/units.h"
#include "report/text_sections.h"

namespace cowtrace::report {

namespace {

constexpr std::array kSections = {
    &print_headline,  &print_warnings,   &print_capture,    &print_watches,
    &print_processes, &print_audit,      &print_mechanisms, &print_stalls,
    &print_causes,    &print_mappings,   &print_objects,    &print_neighbours,
    &print_sites,     &print_allocators, &print_advice,     &print_last_warning,
};

}  // namespace

TextReporter::TextReporter(ReportOptions options) : options_(std::move(options)) {
  // In less, the columns of numbers alone do not fit.
  options_.width = std::max<std::size_t>(options_.width, 80);
}

Status TextReporter::write(const analysis::Report& report, std::ostream& out) {
  const TextContext context{report.summary, report.session, options_, out};
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
