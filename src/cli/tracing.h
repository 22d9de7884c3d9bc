// SPDX-License-Identifier: Apache-2.0
// What `run`, `attach` and `top` have in common: their options, and the way from a capture to its
// reports.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "pipeline/attach.h"
#include "pipeline/budget.h"
#include "pipeline/run.h"

namespace cowtrace::cli {

// As given; the functions below make options of it.
struct TraceArguments {
  std::vector<std::string> outputs;
  std::string format;  // of standard output, if anything goes there
  std::string duration, backend = "auto", stacks = "python,native", detail = "events",
                        snapshot = "exact", buffer, color = "auto";
  bool snapshot_given = false;
  std::vector<std::string> watch, filter;
  std::string max_copied, max_copied_per_process;
  std::uint32_t frames = 16;
  bool no_page_tables = false;
  bool allocators = false;
  bool quiet = false;
  bool verbose = false;
};

struct RunArguments : TraceArguments {
  std::vector<std::string> command;
  std::string user;
};

struct AttachArguments : TraceArguments {
  AttachArguments() { snapshot = "passive"; }

  std::vector<std::string> pids;
  std::vector<std::string> cgroups;
  bool all = false;
};

void add_trace_options(CLI::App& app, TraceArguments& to);
void add_command_options(CLI::App& app, RunArguments& to);
void add_detail_option(CLI::App& app, TraceArguments& to);
void add_budget_options(CLI::App& app, std::string& family, std::string& process);

Result<pipeline::RunOptions> run_options(const RunArguments& arguments);
Result<pipeline::AttachOptions> attach_options(const AttachArguments& arguments);
Result<pipeline::Budget> budget_of(const std::string& family, const std::string& process);

struct TraceEnd {
  bool failed = false;  // what it was has been said
  int exit_code = 0;    // as `run` has it
};

// Opens the outputs, has `capture` fill a session, and writes them.
using CaptureWork = std::function<Result<pipeline::RunOutcome>(pipeline::Recorder& recorder)>;
TraceEnd trace(const TraceArguments& arguments, const CaptureWork& capture);
TraceEnd trace_running(const AttachArguments& arguments, const pipeline::AttachOptions& options);

// Prints the verdict, if there is one. Returns kOverBudget for a success that copied too much, or
// `code`.
int report_verdict(const std::optional<pipeline::Verdict>& verdict, int code);

}  // namespace cowtrace::cli
