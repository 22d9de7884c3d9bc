// SPDX-License-Identifier: Apache-2.0
// What users choose about a report.
#pragma once

#include <cstddef>
#include <string>

#include "analysis/event_filter.h"

namespace cowtrace::report {

struct ReportOptions {
  std::string version;     // of cowtrace, without "v"
  bool color = false;      // ANSI colours, for a terminal
  std::size_t width = 80;  // columns of the text report
  std::size_t rows = 10;   // of each table of the text report; what is left out is summed up
  analysis::EventFilter
      filter;  // of the exports: events, stacks and profiles; not of the text and JSON reports
};

}  // namespace cowtrace::report
