// SPDX-License-Identifier: Apache-2.0
// One report format: writes a Summary, and where it lists pages or names stack frames, what it asks
// of the Session and the Resolver that the Summary was joined from.
#pragma once

#include <cstddef>
#include <ostream>
#include <string>

#include "analysis/event_filter.h"
#include "analysis/summary.h"
#include "base/result.h"
#include "model/objects.h"
#include "model/session.h"

namespace cowtrace::report {

struct ReportOptions {
  std::string version;     // of cowtrace, without "v"
  bool color = false;      // ANSI colours, for a terminal
  std::size_t width = 80;  // columns of the text report
  std::size_t rows = 10;   // of each table of the text report; what is left out is summed up
  analysis::EventFilter filter;  // of the exports: events, stacks and profiles; not of the text and JSON reports
};

class Reporter {
 public:
  virtual ~Reporter() = default;

  // Fails when `out` did not take everything.
  [[nodiscard]] virtual Status write(const analysis::Summary& summary,
                                     const model::Session& session, model::Resolver& resolver,
                                     std::ostream& out) = 0;
};

}  // namespace cowtrace::report
