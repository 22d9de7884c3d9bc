// SPDX-License-Identifier: Apache-2.0
#include "cli/tracing.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/say.h"
#include "base/units.h"
#include "cli/commands.h"
#include "cli/report_options.h"
#include "pipeline/ending.h"
#include "pipeline/outputs.h"
#include "pipeline/stage_line.h"

namespace cowtrace::cli {
namespace {

Status set_stacks(const TraceArguments& arguments, capture::CaptureOptions& options) {
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
    return fail(fmt::format("--frames {}", arguments.frames), "not from 1 to 64",
                "use --stacks none for no stacks");
  options.frames = stacks->native ? arguments.frames : 0;
  options.python_frames = stacks->python ? arguments.frames : 0;
  return {};
}

Status set_buffer(const TraceArguments& arguments, capture::CaptureOptions& options) {
  if (arguments.buffer.empty()) return {};  // what suits the machine
  const auto buffer = parse_bytes(arguments.buffer);
  if (!buffer) return tl::unexpected(buffer.error());
  constexpr std::uint64_t kLargestBuffer = std::uint64_t{1} << 30;
  if (*buffer < kPageSize || *buffer > kLargestBuffer)
    return fail(fmt::format("--buffer {}", arguments.buffer), "not from 4KiB to 1GiB");
  options.buffer_bytes = *buffer;
  return {};
}

Status set_snapshot(const TraceArguments& arguments, pipeline::TraceOptions& options) {
  using pipeline::SnapshotMode;
  const auto snapshot = choose<SnapshotMode>({{"exact", SnapshotMode::Exact},
                                              {"passive", SnapshotMode::Passive},
                                              {"off", SnapshotMode::Off}},
                                             "--snapshot", arguments.snapshot);
  if (!snapshot) return tl::unexpected(snapshot.error());
  options.snapshot = *snapshot;
  options.insists_on_exact = arguments.snapshot_given && *snapshot == SnapshotMode::Exact;
  if (*snapshot == SnapshotMode::Off && !arguments.watch.empty())
    return fail("--watch with --snapshot off", "nothing of Python is read then",
                "use --snapshot exact or passive");
  options.watches = arguments.watch;
  return {};
}

Status set_options(const TraceArguments& arguments, pipeline::TraceOptions& options) {
  options.backend = arguments.backend;
  options.progress = !arguments.quiet;
  options.capture.page_tables = !arguments.no_page_tables;
  if (auto set = set_stacks(arguments, options.capture); !set) return set;
  const auto counts =
      choose<bool>({{"events", false}, {"counts", true}}, "--detail", arguments.detail);
  if (!counts) return tl::unexpected(counts.error());
  options.capture.counts_only = *counts;
  if (arguments.allocators &&
      (options.capture.counts_only || options.capture.frames + options.capture.python_frames == 0))
    return fail("--allocators", "it needs events with stacks",
                "use it without --detail counts and --stacks none");
  options.capture.first_writes = arguments.allocators;
  if (auto set = set_snapshot(arguments, options); !set) return set;
  if (auto set = set_buffer(arguments, options.capture); !set) return set;
  if (arguments.duration.empty()) return {};
  const auto duration = parse_duration(arguments.duration);
  if (!duration) return tl::unexpected(duration.error());
  options.duration_ns = *duration;
  return {};
}

Status write(pipeline::Outputs& outputs, pipeline::Traced& traced, bool says) {
  const auto& processes = traced.session->processes;
  const bool alone =
      std::none_of(processes.begin(), processes.end(), [](const model::Process& process) {
        return !process.exit_ns && pipeline::may_use_our_terminal(process.pid);
      });
  pipeline::StageLine stage(says && alone);
  auto written = outputs.write(traced, stage);
  pipeline::Ending::all_written();
  return written;
}

}  // namespace

Result<pipeline::RunOptions> run_options(const RunArguments& arguments) {
  if (std::find(arguments.outputs.begin(), arguments.outputs.end(), "-") != arguments.outputs.end())
    return fail("-o -", "standard output is the command's", "name a file");
  pipeline::RunOptions options;
  if (auto set = set_options(arguments, options); !set) return tl::unexpected(set.error());
  options.command = arguments.command;
  if (!arguments.user.empty()) options.user = arguments.user;
  return options;
}

Result<pipeline::AttachOptions> attach_options(const AttachArguments& arguments) {
  pipeline::AttachOptions options;
  if (auto set = set_options(arguments, options); !set) return tl::unexpected(set.error());
  for (const std::string& text : arguments.pids) {
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
    if (error != std::errc() || end != text.data() + text.size() || pid <= 0)
      return fail("wrong use", fmt::format("'{}' is no PID", printable(text)),
                  "name numbers of processes: see ps -e");
    options.pids.push_back(pid);
  }
  options.cgroups = arguments.cgroups;
  options.all = arguments.all;
  if (options.pids.empty() && options.cgroups.empty() && !options.all)
    return fail("wrong use", "nobody to attach to", "name a PID, --cgroup PATH or --all");
  if (options.all && options.snapshot == pipeline::SnapshotMode::Exact)
    return fail("--all with --snapshot exact", "it would stop every process of the machine",
                "use --snapshot passive");
  return options;
}

Result<pipeline::Budget> budget_of(const std::string& family, const std::string& process) {
  pipeline::Budget budget;
  for (const auto& [text, option, to] :
       {std::tuple(&family, "--max-copied", &budget.family),
        std::tuple(&process, "--max-copied-per-process", &budget.process)}) {
    if (text->empty()) continue;
    const auto bytes = parse_bytes(*text);
    if (!bytes)
      return fail(fmt::format("{} {}", option, printable(*text)), bytes.error().message(),
                  "write it as 64MiB");
    *to = *bytes;
  }
  return budget;
}

TraceEnd trace(const TraceArguments& arguments, const CaptureWork& capture) {
  const auto failed = [](const Error& error, int code) {
    return TraceEnd{true, report_error(error, code)};
  };
  auto reports = report_options(arguments.color, arguments.verbose, STDERR_FILENO);
  if (!reports) return failed(reports.error(), kRunFailed);
  const auto budget = budget_of(arguments.max_copied, arguments.max_copied_per_process);
  if (!budget) return failed(budget.error(), kRunFailed);
  std::vector<std::string> files = arguments.outputs;
  const bool dash = std::erase(files, "-") != 0;
  const std::string shown = !arguments.format.empty() ? arguments.format : dash ? "text" : "";
  if (auto set = set_filter(arguments.filter, files, shown.empty() ? "text" : shown, *reports);
      !set)
    return failed(set.error(), kRunFailed);
  // Files are for everybody: no colour, and the width that docs show.
  report::ReportOptions for_files = *reports;
  for_files.color = false;
  auto outputs = pipeline::Outputs::open(files, for_files);
  if (!outputs) return failed(outputs.error(), kRunFailed);
  outputs->set_budget(*budget);
  if (!shown.empty())
    if (auto added = outputs->show(shown, for_files, STDOUT_FILENO); !added)
      return failed(added.error(), kRunFailed);
  if (!arguments.quiet)
    if (auto added = outputs->show("text", *reports, STDERR_FILENO); !added)
      return failed(added.error(), kRunFailed);
  auto outcome = capture(outputs->recorder());
  if (!outcome) return failed(outcome.error(), kRunFailed);
  if (outcome->error) return failed(*outcome->error, outcome->exit_code);
  const Status written = write(*outputs, outcome->traced, !arguments.quiet);
  const int exit_code = report_verdict(outputs->verdict(), outcome->exit_code);
  if (outputs->reader_left()) pipeline::Ending::die_of(SIGPIPE);
  if (!written)
    return failed(written.error(), outcome->exit_code == 0 ? kRunFailed : outcome->exit_code);
  return {false, exit_code};
}

TraceEnd trace_running(const AttachArguments& arguments, const pipeline::AttachOptions& options) {
  return trace(arguments, [&](pipeline::Recorder& recorder) -> Result<pipeline::RunOutcome> {
    auto traced = pipeline::attach(options, recorder);
    if (!traced) return tl::unexpected(traced.error());
    pipeline::RunOutcome outcome;
    outcome.traced = std::move(*traced);
    return outcome;
  });
}

int report_verdict(const std::optional<pipeline::Verdict>& verdict, int code) {
  if (!verdict) return code;
  say(verdict->line);
  return verdict->exceeded && code == kDone ? kOverBudget : code;
}

void add_trace_options(CLI::App& app, TraceArguments& to) {
  add_repeatable(app, "-o,--output", to.outputs,
                 "write a report to FILE; its suffix selects the format (.cow, .html, .json, .txt, "
                 ".folded, ...)",
                 "FILE");
  app.add_option("-d,--duration", to.duration,
                 "stop tracing after TIME (30s, 5m); the traced processes keep running")
      ->type_name("TIME")
      ->check(not_empty());
  app.add_option("--backend", to.backend,
                 "how breaks are detected; auto selects the first backend that loads")
      ->type_name("auto|fentry|kprobe|static")
      ->capture_default_str();
  app.add_option("--frames", to.frames,
                 "most stack frames to record per break, for each kind of stack")
      ->capture_default_str();
  app.add_option("--stacks", to.stacks, "which stacks to record at each break")
      ->type_name("python,native|python|native|none")
      ->capture_default_str();
  app.add_option("--snapshot", to.snapshot,
                 "exact stops processes at fork, exec and exit to audit them; passive does not; "
                 "off also reads no Python memory")
      ->type_name("exact|passive|off")
      ->capture_default_str()
      ->each([&to](const std::string&) { to.snapshot_given = true; });
  app.add_option("--buffer", to.buffer,
                 "size of the ring buffer; default 64MiB, less where little memory is available")
      ->type_name("SIZE")
      ->check(not_empty());
  app.add_option("--color", to.color, "whether to color the report")
      ->type_name(kColors)
      ->capture_default_str();
  app.add_flag("--no-page-tables", to.no_page_tables,
               "infer copies from page allocations instead of reading page tables");
  app.add_flag("-q,--quiet", to.quiet, "print no report and no progress on standard error");
  app.add_flag("-v,--verbose", to.verbose, "print longer tables");
  add_repeatable(app, "--filter", to.filter,
                 "export only events with this process=, pid=, mechanism=, cause=, phase= or "
                 "address=; repeatable",
                 "KEY=VALUE");
}

void add_command_options(CLI::App& app, RunArguments& to) {
  app.add_option("COMMAND", to.command, "command to run, with its arguments, after --");
  app.add_option("-u,--user", to.user, "run COMMAND as user NAME")
      ->type_name("NAME")
      ->check(not_empty());
}

void add_detail_option(CLI::App& app, TraceArguments& to) {
  app.add_flag(
      "--allocators", to.allocators,
      "also report which code first wrote the copied pages; records an event for each new page");
  app.add_option("--detail", to.detail,
                 "events records each break; counts only totals per process, page and mechanism")
      ->type_name("events|counts")
      ->capture_default_str();
}

void add_budget_options(CLI::App& app, std::string& family, std::string& process) {
  app.add_option("--max-copied", family,
                 "exit with status 124 if all processes together copied more than SIZE")
      ->type_name("SIZE")
      ->check(not_empty());
  app.add_option("--max-copied-per-process", process,
                 "exit with status 124 if one process copied more than SIZE")
      ->type_name("SIZE")
      ->check(not_empty());
}

}  // namespace cowtrace::cli
