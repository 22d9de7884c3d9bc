// SPDX-License-Identifier: Apache-2.0
// One report format. It writes what the Report holds, and asks nothing else.
#pragma once

#include <cstddef>
#include <ostream>
#include <string>

#include "analysis/event_filter.h"
#include "analysis/report.h"
#include "base/result.h"

namespace cowtrace::report {

struct ReportOptions {
  std::string version;     // of cowtrace, without "v"
  bool color = false;      // ANSI colours, for a terminal
  std::size_t width = 80;  // columns of the text report
  std::size_t rows = 10;   // of each table of the text report; what is left out is summed up
  analysis::EventFilter
      filter;  // of the exports: events, stacks and profiles; not of the text and JSON reports
};

class Reporter {
 public:
  virtual ~Reporter() = default;

  // Fails when `out` did not take everything.
  [[nodiscard]] virtual Status write(const analysis::Report& report, std::ostream& out) = 0;
};

}  // namespace cowtrace::report
