// SPDX-License-Identifier: Apache-2.0
// The report for people at a screen: one HTML file that holds the page (src/report/web, embedded in
// the binary) and this report's data, compressed. It asks for nothing from anywhere.
#include "report/html_bundle.h"
#include "report/html_events.h"
#include "report/html_sections.h"
#include "report/html_tables.h"
#include "report/writers.h"

namespace cowtrace::report {

Status write_html(const analysis::Report& report, const ReportOptions& options, std::ostream& out) {
  const analysis::Summary& summary = report.summary;
  const auto failed = [] {
    return fail("the HTML report is incomplete", "its file did not take all of it");
  };
  // Whatever the traced program says of itself is in the data, and that is base64.
  out << html_head();
  HtmlSections sections(out);
  HtmlStrings strings;
  const HtmlObjects objects(summary, strings);
  write_html_meta(summary, options, objects, sections);
  write_html_sites(summary, strings, sections);
  objects.write(sections);
  write_html_events({report, objects, strings, sections});
  strings.write(sections);
  if (!sections.finish()) return failed();
  out << html_tail() << std::flush;
  if (!out) return failed();
  return {};
}

}  // namespace cowtrace::report
