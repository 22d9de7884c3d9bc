// SPDX-License-Identifier: Apache-2.0
// A trace for https://ui.perfetto.dev (proto/perfetto_trace.proto): for each process a counter of
// copied bytes, an instant for each break with its stack and object, and marks where it begins and
// ends.
#pragma once

#include <utility>

#include "report/reporter.h"

namespace cowtrace::report {

class PerfettoReporter : public Reporter {
 public:
  explicit PerfettoReporter(ReportOptions options) : options_(std::move(options)) {}

  [[nodiscard]] Status write(const analysis::Report& report, std::ostream& out) override;

 private:
  ReportOptions options_;
};

}  // namespace cowtrace::report
