// SPDX-License-Identifier: Apache-2.0
// The pages of an HTML report, and every event on each: one walk over the session, no copy of it.
#pragma once

#include "analysis/report.h"
#include "report/html_sections.h"
#include "report/html_tables.h"

namespace cowtrace::report {

struct HtmlEvents {
  const analysis::Report& report;
  const HtmlObjects& objects;
  HtmlStrings& strings;
  HtmlSections& sections;
};

void write_html_events(const HtmlEvents& what);

}  // namespace cowtrace::report
