// SPDX-License-Identifier: Apache-2.0
// Raw events as JSON lines, schema "cowtrace.events/1" (docs/events.schema.json): one object a
// line, in order of time, with a `type`. Stacks and objects are written once, before the first
// event that names them; their numbers are those of `sites` and `objects` in the JSON report.
#pragma once

#include <utility>

#include "report/reporter.h"

namespace cowtrace::report {

class JsonLinesReporter : public Reporter {
 public:
  explicit JsonLinesReporter(ReportOptions options) : options_(std::move(options)) {}

  [[nodiscard]] Status write(const analysis::Report& report, std::ostream& out) override;

 private:
  ReportOptions options_;
};

}  // namespace cowtrace::report
