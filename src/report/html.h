// SPDX-License-Identifier: Apache-2.0
// The report for people at a screen: one HTML file that holds the page (src/report/web, embedded in
// the binary) and this report's data, compressed. It asks for nothing from anywhere.
#pragma once

#include <utility>

#include "report/reporter.h"

namespace cowtrace::report {

class HtmlReporter : public Reporter {
 public:
  explicit HtmlReporter(ReportOptions options) : options_(std::move(options)) {}

  [[nodiscard]] Status write(const analysis::Report& report, std::ostream& out) override;

 private:
  ReportOptions options_;
};

}  // namespace cowtrace::report
