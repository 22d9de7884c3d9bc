// SPDX-License-Identifier: Apache-2.0
// cowtrace report
#include <signal.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/report_options.h"
#include "cli/tracing.h"
#include "pipeline/ending.h"
#include "pipeline/outputs.h"
#include "pipeline/stage_line.h"
#include "trace/reader.h"

namespace cowtrace::cli {
namespace {

struct ReportArguments {
  std::string trace;
  std::vector<std::string> outputs;
  std::string format, color = "auto";
  std::vector<std::string> filter;
  std::string max_copied, max_copied_per_process;
  bool verbose = false;
};

int report(ReportArguments arguments) {
  auto options = report_options(arguments.color, arguments.verbose, STDOUT_FILENO);
  if (!options) return report_error(options.error(), kUsedWrongly);
  const auto format = shown_format(arguments.outputs, arguments.format);
  if (auto set = set_filter(arguments.filter, arguments.outputs, format.value_or("text"), *options);
      !set)
    return report_error(set.error(), kUsedWrongly);
  report::ReportOptions for_files = *options;
  for_files.color = false;
  const auto budget = budget_of(arguments.max_copied, arguments.max_copied_per_process);
  if (!budget) return report_error(budget.error(), kUsedWrongly);
  auto trace = trace::read_file(arguments.trace);
  if (!trace) return report_error(trace.error(), kFailed);
  auto outputs = pipeline::Outputs::open(arguments.outputs, for_files);
  if (!outputs) return report_error(outputs.error(), kUsedWrongly);
  if (outputs->recorder().active())
    return report_error({"-o", "a trace is written while it is recorded",
                         "copy the file, or choose another suffix"},
                        kUsedWrongly);
  outputs->set_budget(*budget);
  if (format)
    if (auto added = outputs->show(*format, *options, STDOUT_FILENO); !added)
      return report_error(added.error(), kUsedWrongly);
  const Status written = [&] {
    pipeline::StageLine stage(!format || isatty(STDOUT_FILENO) == 1);
    return outputs->write(*trace->session, std::move(trace->facts), stage);
  }();
  if (outputs->reader_left()) pipeline::Ending::die_of(SIGPIPE);
  if (!written) return report_error(written.error(), kFailed);
  return report_verdict(outputs->verdict(), kDone);
}

}  // namespace

Action configure_report(CLI::App& app) {
  const auto arguments = std::make_shared<ReportArguments>();
  ReportArguments& to = *arguments;
  app.add_option("TRACE", to.trace, "trace file that -o FILE.cow wrote")->required();
  add_repeatable(app, "-o,--output", to.outputs,
                 "write a report to FILE; its suffix selects the format; - is standard output",
                 "FILE");
  app.add_option("--format", to.format, "format of the report on standard output")
      ->type_name(format_names());
  add_repeatable(app, "--filter", to.filter,
                 "export only events with this process=, pid=, mechanism=, cause=, phase= or "
                 "address=; repeatable",
                 "KEY=VALUE");
  app.add_option("--color", to.color, "whether to color the report")
      ->type_name(kColors)
      ->capture_default_str();
  app.add_flag("-v,--verbose", to.verbose, "print longer tables");
  add_budget_options(app, to.max_copied, to.max_copied_per_process);
  return [arguments](const std::vector<std::string>& after_dashes) {
    if (!after_dashes.empty())
      return report_error({"wrong use", "no command is run here", "see cowtrace report --help"},
                          kUsedWrongly);
    return report(*arguments);
  };
}

}  // namespace cowtrace::cli
