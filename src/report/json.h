// SPDX-License-Identifier: Apache-2.0
// The report for scripts: schema "cowtrace.report/1" (docs/report.schema.json). Written row by row,
// so that its size costs no memory. Text that is not UTF-8 has U+FFFD in the place of what is
// wrong.
#pragma once

#include <utility>

#include "report/reporter.h"

namespace cowtrace::report {

class JsonReporter : public Reporter {
 public:
  explicit JsonReporter(ReportOptions options) : options_(std::move(options)) {}

  [[nodiscard]] Status write(const analysis::Report& report, std::ostream& out) override;

 private:
  ReportOptions options_;
};

}  // namespace cowtrace::report
