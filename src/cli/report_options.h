// SPDX-License-Identifier: Apache-2.0
// How reports look where they are shown.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/result.h"
#include "base/units.h"
#include "report/options.h"

namespace cowtrace::cli {

// What `text`, given with `option`, stands for.
template <typename Value>
Result<Value> choose(const std::map<std::string, Value>& choices, const std::string& option,
                     const std::string& text) {
  if (const auto found = choices.find(text); found != choices.end()) return found->second;
  std::string names;
  for (const auto& [name, value] : choices) names += (names.empty() ? "" : ", ") + name;
  return fail(fmt::format("{} {}", option, printable(text)), "unknown",
              fmt::format("use {}", names));
}

// What --filter says. Fails if a condition is none, or if neither one of `files` nor `format` is of
// a kind that can leave something out.
Status set_filter(const std::vector<std::string>& conditions, const std::vector<std::string>& files,
                  const std::string& format, report::ReportOptions& options);

// `color` as --color has it; `shown_on` is the descriptor that the text report goes to.
Result<report::ReportOptions> report_options(const std::string& color, bool verbose, int shown_on);

// "text|json|...": what --format takes, which is every format but that of traces.
std::string format_names();

// Takes "-" out of `outputs`. What goes to standard output: a format, or none where only files are
// asked for.
std::optional<std::string> shown_format(std::vector<std::string>& outputs,
                                        const std::string& format);

}  // namespace cowtrace::cli
