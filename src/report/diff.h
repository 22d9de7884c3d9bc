// SPDX-License-Identifier: Apache-2.0
// The formats that a comparison of runs is written in.
#pragma once

#include <ostream>
#include <span>
#include <string_view>

#include "analysis/compare.h"
#include "base/result.h"
#include "report/options.h"

namespace cowtrace::report {

// Each fails when `out` did not take everything. All text of traced programs is made harmless.
[[nodiscard]] Status write_diff_text(const analysis::Comparison& comparison,
                                     const ReportOptions& options, std::ostream& out);
// Schema "cowtrace.diff/1" (docs/diff.schema.json).
[[nodiscard]] Status write_diff_json(const analysis::Comparison& comparison,
                                     const ReportOptions& options, std::ostream& out);
// One page that needs nothing else and may load nothing.
[[nodiscard]] Status write_diff_html(const analysis::Comparison& comparison,
                                     const ReportOptions& options, std::ostream& out);

struct DiffFormat {
  std::string_view suffix;  // of -o FILE
  std::string_view name;    // of --format
  Status (*write)(const analysis::Comparison&, const ReportOptions&, std::ostream&);
};

std::span<const DiffFormat> diff_formats();

// Both fail, listing what there is, if there is none.
[[nodiscard]] Result<const DiffFormat*> diff_format_of_file(std::string_view path);
[[nodiscard]] Result<const DiffFormat*> diff_format_named(std::string_view name);

}  // namespace cowtrace::report
