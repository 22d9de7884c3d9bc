// SPDX-License-Identifier: Apache-2.0
// What `run` and `top` have in common: their options, and the run itself.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "pipeline/run.h"

namespace cowtrace::cli {

// As given; resolve() makes RunOptions of it.
struct RunArguments {
  std::vector<std::string> command;
  std::vector<std::string> outputs;
  std::string duration, user, backend = "auto", stacks = "python,native", detail = "events", snapshot = "exact", buffer = "64MiB", color = "auto";
  std::vector<std::string> watch, filter;
  std::uint32_t frames = 16;
  bool no_page_tables = false;
  bool quiet = false;
  bool verbose = false;
  // Named by the interface, not built yet: an error when given, never ignored.
  std::string max_copied, max_copied_per_process;
};

void add_run_options(CLI::App& app, RunArguments& to);
Result<pipeline::RunOptions> resolve(const RunArguments& arguments);
struct RunEnd {
  bool failed = false;  // what it was has been said
  int exit_code = 0;    // as `run` has it
};
// Runs and reports. `view`: nullptr, or what shows it meanwhile.
RunEnd run(const RunArguments& arguments, top::View* view);

}  // namespace cowtrace::cli
