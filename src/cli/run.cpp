// SPDX-License-Identifier: Apache-2.0
// cowtrace run
#include "pipeline/run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/units.h"
#include "cli/commands.h"
#include "cli/report_options.h"
#include "cli/run_arguments.h"
#include "pipeline/outputs.h"

namespace cowtrace::cli {
namespace {

Status check_unbuilt(const RunArguments& arguments) {
  if (!arguments.max_copied.empty()) return fail("--max-copied", "not built yet");
  if (!arguments.max_copied_per_process.empty()) return fail("--max-copied-per-process", "not built yet");
  if (std::find(arguments.outputs.begin(), arguments.outputs.end(), "-") != arguments.outputs.end())
    return fail("-o -", "standard output is the command's", "name a file");
  return {};
}

}  // namespace

Result<pipeline::RunOptions> resolve(const RunArguments& arguments) {
  if (auto built = check_unbuilt(arguments); !built) return tl::unexpected(built.error());
  pipeline::RunOptions options;
  options.command = arguments.command;
  if (!arguments.user.empty()) options.user = arguments.user;
  options.backend = arguments.backend;
  options.progress = !arguments.quiet;

  struct Stacks {
    bool python, native;
  };
  const auto stacks = choose<Stacks>({{"python,native", {true, true}},
                                      {"native,python", {true, true}},
                                      {"python", {true, false}},
                                      {"native", {false, true}},
                                      {"none", {false, false}}},
                                     "--stacks", arguments.stacks);
  if (!stacks) return tl::unexpected(stacks.error());
  if (arguments.frames == 0 || arguments.frames > 64)
    return fail(fmt::format("--frames {}", arguments.frames), "not from 1 to 64", "use --stacks none for no stacks");
  options.capture.frames = stacks->native ? arguments.frames : 0;
  options.capture.python_frames = stacks->python ? arguments.frames : 0;

  const auto counts = choose<bool>({{"events", false}, {"counts", true}}, "--detail", arguments.detail);
  if (!counts) return tl::unexpected(counts.error());
  options.capture.counts_only = *counts;

  using pipeline::SnapshotMode;
  const auto snapshot = choose<SnapshotMode>(
      {{"exact", SnapshotMode::Exact}, {"passive", SnapshotMode::Passive}, {"off", SnapshotMode::Off}}, "--snapshot", arguments.snapshot);
  if (!snapshot) return tl::unexpected(snapshot.error());
  options.snapshot = *snapshot;
  if (*snapshot == SnapshotMode::Off && !arguments.watch.empty())
    return fail("--watch with --snapshot off", "nothing of Python is read then", "use --snapshot exact or passive");

  const auto buffer = parse_bytes(arguments.buffer);
  if (!buffer) return tl::unexpected(buffer.error());
  constexpr std::uint64_t kLargestBuffer = std::uint64_t{1} << 30;
  if (*buffer < kPageSize || *buffer > kLargestBuffer)
    return fail(fmt::format("--buffer {}", arguments.buffer), "not from 4KiB to 1GiB");
  options.capture.buffer_bytes = *buffer;
  options.capture.page_tables = !arguments.no_page_tables;

  if (!arguments.duration.empty()) {
    const auto duration = parse_duration(arguments.duration);
    if (!duration) return tl::unexpected(duration.error());
    options.duration_ns = *duration;
  }
  options.watches = arguments.watch;
  return options;
}

RunEnd run(const RunArguments& arguments, top::View* view) {
  const auto failed = [](const Error& error, int code) { return RunEnd{true, report_error(error, code)}; };
  auto options = resolve(arguments);
  if (!options) return failed(options.error(), kRunFailed);
  options->view = view;
  auto reports = report_options(arguments.color, arguments.verbose, STDERR_FILENO);
  if (!reports) return failed(reports.error(), kRunFailed);
  if (auto set = set_filter(arguments.filter, arguments.outputs, "text", *reports); !set) return failed(set.error(), kRunFailed);
  // Files are for everybody: no colour, and the width that docs show.
  report::ReportOptions for_files = *reports;
  for_files.color = false;
  auto outputs = pipeline::Outputs::open(arguments.outputs, for_files);
  if (!outputs) return failed(outputs.error(), kRunFailed);
  if (!arguments.quiet)
    if (auto shown = outputs->show("text", *reports, std::cerr); !shown) return failed(shown.error(), kRunFailed);
  auto outcome = pipeline::run(*options, outputs->recorder());
  if (!outcome) return failed(outcome.error(), kRunFailed);
  if (outcome->error) return failed(*outcome->error, outcome->exit_code);
  auto written = outputs->write(*outcome->session, *outcome->resolver);
  if (!written) return failed(written.error(), outcome->exit_code == 0 ? kRunFailed : outcome->exit_code);
  return {false, outcome->exit_code};
}

void add_run_options(CLI::App& app, RunArguments& to) {
  app.add_option("COMMAND", to.command, "the command and its arguments, after --");
  app.add_option("-o,--output", to.outputs, "write a report; the suffix chooses the format (.cow, .html, .json, .txt, .folded, ...)")
      ->type_name("FILE")->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("-d,--duration", to.duration, "stop after TIME (30s, 5m) and let COMMAND go on")->type_name("TIME");
  app.add_option("-u,--user", to.user, "run COMMAND as this user")->type_name("NAME");
  app.add_option("--backend", to.backend, "auto, fentry, kprobe or static")->capture_default_str();
  app.add_option("--frames", to.frames, "stack frames kept per break, of Python and native each")->capture_default_str();
  app.add_option("--stacks", to.stacks, "python,native, or one of them, or none")->capture_default_str();
  app.add_option("--snapshot", to.snapshot, "exact, passive (no ptrace) or off")->capture_default_str();
  app.add_option("--buffer", to.buffer, "size of the ring buffer")->type_name("SIZE")->capture_default_str();
  app.add_option("--color", to.color, "auto, always or never")->capture_default_str();
  app.add_flag("--no-page-tables", to.no_page_tables, "pair faults with allocations instead of reading page tables");
  app.add_flag("-q,--quiet", to.quiet, "no report and no progress on standard error");
  app.add_flag("-v,--verbose", to.verbose, "longer tables");
  app.add_option("--filter", to.filter, "what exports show: process=, pid=, mechanism=, cause= or address=; repeatable")
      ->type_name("KEY=VALUE")->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

Action configure_run(CLI::App& app) {
  const auto arguments = std::make_shared<RunArguments>();
  RunArguments& to = *arguments;
  add_run_options(app, to);
  app.add_option("--detail", to.detail, "events, or counts per process, page and mechanism only")->capture_default_str();
  app.add_option("--watch", to.watch, "a Python object in every process: still shared, copied or replaced? Repeatable")
      ->type_name("EXPR")->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--max-copied", to.max_copied, "not built yet")->type_name("SIZE");
  app.add_option("--max-copied-per-process", to.max_copied_per_process, "not built yet")->type_name("SIZE");
  return [arguments](const std::vector<std::string>& after_dashes) {
    arguments->command.insert(arguments->command.end(), after_dashes.begin(), after_dashes.end());
    if (arguments->command.empty())
      return report_error({"wrong use", "no COMMAND", "cowtrace [OPTIONS] -- COMMAND; see cowtrace run --help"}, kRunFailed);
    return run(*arguments, nullptr).exit_code;
  };
}

}  // namespace cowtrace::cli
