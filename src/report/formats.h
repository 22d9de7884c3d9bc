// SPDX-License-Identifier: Apache-2.0
// The one table of output formats: suffix, name and function.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "report/writers.h"

namespace cowtrace::report {

struct Format {
  std::string_view suffix;  // of -o FILE
  std::string_view name;    // of --format
  bool filtered;       // shows what ReportOptions::filter lets through; others are always whole
  WriteReport* write;  // nullptr: a trace, which another layer writes
};

std::span<const Format> formats();

// By the longest suffix that fits. Fails, listing all suffixes, if there is none.
[[nodiscard]] Result<const Format*> format_of_file(std::string_view path);

// Fails, listing all names, if there is none.
[[nodiscard]] Result<const Format*> format_named(std::string_view name);

// ".folded, .speedscope.json, ...": those that are filtered.
std::string filtered_suffixes();

}  // namespace cowtrace::report
