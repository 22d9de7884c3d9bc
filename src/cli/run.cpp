// SPDX-License-Identifier: Apache-2.0
// cowtrace run
#include "pipeline/run.h"

#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/tracing.h"

namespace cowtrace::cli {

Action configure_run(CLI::App& app) {
  const auto arguments = std::make_shared<RunArguments>();
  RunArguments& to = *arguments;
  add_command_options(app, to);
  add_trace_options(app, to);
  add_detail_option(app, to);
  add_repeatable(
      app, "--watch", to.watch,
      "report whether a Python object is shared, copied or replaced in each process; repeatable",
      "EXPR");
  add_budget_options(app, to.max_copied, to.max_copied_per_process);
  return [arguments](const std::vector<std::string>& after_dashes) {
    arguments->command.insert(arguments->command.end(), after_dashes.begin(), after_dashes.end());
    if (arguments->command.empty())
      return report_error(
          {"wrong use", "no COMMAND", "cowtrace [OPTIONS] -- COMMAND; see cowtrace run --help"},
          kRunFailed);
    const auto options = run_options(*arguments);
    if (!options) return report_error(options.error(), kRunFailed);
    return trace(*arguments,
                 [&](pipeline::Recorder& recorder) { return pipeline::run(*options, recorder); })
        .exit_code;
  };
}

}  // namespace cowtrace::cli
