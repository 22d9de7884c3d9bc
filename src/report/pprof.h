// SPDX-License-Identifier: Apache-2.0
// A profile for pprof and all that read its format (proto/profile.proto): breaks and copied bytes
// by stack, with labels pid, process, cause, mechanism and object.
#pragma once

#include <utility>

#include "report/reporter.h"

namespace cowtrace::report {

class PprofReporter : public Reporter {
 public:
  explicit PprofReporter(ReportOptions options) : options_(std::move(options)) {}

  [[nodiscard]] Status write(const analysis::Report& report, std::ostream& out) override;

 private:
  ReportOptions options_;
};

}  // namespace cowtrace::report
