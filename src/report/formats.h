// SPDX-License-Identifier: Apache-2.0
// The one table of output formats: suffix, name and maker.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "report/reporter.h"

namespace cowtrace::report {

struct Format {
  std::string_view suffix;  // of -o FILE
  std::string_view name;    // of --format
  bool built;               // false: named by the interface, an error when asked for
  bool filtered;            // shows what ReportOptions::filter lets through; others are always whole
  std::unique_ptr<Reporter> (*make)(const ReportOptions&);  // nullptr: not made from a Summary
};

std::span<const Format> formats();

// By the longest suffix that fits, whether built or not. Fails, listing all suffixes, if there is
// none.
[[nodiscard]] Result<const Format*> format_of_file(std::string_view path);

// Fails, listing all names, if there is none.
[[nodiscard]] Result<const Format*> format_named(std::string_view name);

// ".folded, .speedscope.json, ...": those that are filtered.
std::string filtered_suffixes();

// Fails, listing those that work, if the format is not built.
[[nodiscard]] Result<std::unique_ptr<Reporter>> make_reporter(const Format& format,
                                                              const ReportOptions& options);

}  // namespace cowtrace::report
