// SPDX-License-Identifier: Apache-2.0
// Brendan Gregg's folded stacks, for flamegraph.pl, inferno and others: one line a stack, outermost
// first, with the bytes that were copied.
//
//   server;main;serve;fill_table;memset 49152
//   server;(lost events) 8192
#pragma once

#include <utility>

#include "report/reporter.h"

namespace cowtrace::report {

class FoldedReporter : public Reporter {
 public:
  explicit FoldedReporter(ReportOptions options) : options_(std::move(options)) {}

  [[nodiscard]] Status write(const analysis::Report& report, std::ostream& out) override;

 private:
  ReportOptions options_;
};

}  // namespace cowtrace::report
