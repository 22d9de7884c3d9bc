// SPDX-License-Identifier: Apache-2.0
// A profile for https://www.speedscope.app, in its own file format: the same stacks weighed by
// copied bytes and by breaks, each below the process that it was in.
#pragma once

#include <utility>

#include "report/reporter.h"

namespace cowtrace::report {

class SpeedscopeReporter : public Reporter {
 public:
  explicit SpeedscopeReporter(ReportOptions options) : options_(std::move(options)) {}

  [[nodiscard]] Status write(const analysis::Report& report, std::ostream& out) override;

 private:
  ReportOptions options_;
};

}  // namespace cowtrace::report
