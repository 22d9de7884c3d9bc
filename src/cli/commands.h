// SPDX-License-Identifier: Apache-2.0
// One entry a subcommand: it adds its options to the parser and gives what to do when it was
// chosen.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace cowtrace::cli {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsedWrongly = 2;
inline constexpr int kOverBudget = 124;
inline constexpr int kRunFailed = 125;  // run: cowtrace itself failed or was used wrongly

// Prints "cowtrace: what: why: what to do" and returns `code`.
int report_error(const Error& error, int code);

// `after_dashes`: the words after "--", which are the command's and never options of ours.
using Action = std::function<int(const std::vector<std::string>& after_dashes)>;

// An option that may be given several times, with one value each time: the words behind it are not
// its own.
inline void add_repeatable(CLI::App& app, const char* name, std::vector<std::string>& to,
                           const char* about, const char* type) {
  app.add_option(name, to, about)
      ->type_name(type)
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

// For an option whose absence means something: an empty value, as "$UNSET" gives, is not the same
// as none.
inline CLI::Validator not_empty() {
  return {[](const std::string& text) {
            return text.empty() ? std::string("it is empty") : std::string();
          },
          ""};
}

// What an option with fixed values shows and completions offer: "auto|always|never".
inline constexpr const char* kColors = "auto|always|never";

// `usage_code` is what a wrong use of the subcommand exits with.
struct Subcommand {
  const char* name;
  const char* about;
  int usage_code;
  Action (*configure)(CLI::App& app);
};

// Every subcommand and option, as run_cli parses them, with what to do when a subcommand was
// chosen.
std::vector<std::pair<CLI::App*, Action>> configure_all(CLI::App& app);

Action configure_run(CLI::App& app);
Action configure_attach(CLI::App& app);
Action configure_doctor(CLI::App& app);
Action configure_report(CLI::App& app);
Action configure_top(CLI::App& app);
Action configure_diff(CLI::App& app);

}  // namespace cowtrace::cli
