// SPDX-License-Identifier: Apache-2.0
// The report for people: what a terminal shows after a run. The first line answers "how much"; what
// was lost or could not be seen comes right after it and once more at the end. All text of traced
// programs is made printable.
#pragma once

#include "report/reporter.h"

namespace cowtrace::report {

class TextReporter : public Reporter {
 public:
  explicit TextReporter(ReportOptions options);

  [[nodiscard]] Status write(const analysis::Report& report, std::ostream& out) override;

 private:
  ReportOptions options_;
};

}  // namespace cowtrace::report
