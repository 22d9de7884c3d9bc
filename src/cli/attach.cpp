// SPDX-License-Identifier: Apache-2.0
// cowtrace attach
#include "pipeline/attach.h"

#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/report_options.h"
#include "cli/tracing.h"

namespace cowtrace::cli {

Action configure_attach(CLI::App& app) {
  const auto arguments = std::make_shared<AttachArguments>();
  AttachArguments& to = *arguments;
  app.add_option("PID", to.pids, "running processes; their descendants are traced as well");
  add_repeatable(app, "--cgroup", to.cgroups,
                 "the processes of a control group and of the groups below it; repeatable", "PATH");
  app.add_flag("--all", to.all, "every process of the machine");
  add_trace_options(app, to);
  add_detail_option(app, to);
  app.add_option("--format", to.format, "format of the report that -o - prints")
      ->type_name(format_names())
      ->check(not_empty());
  add_budget_options(app, to.max_copied, to.max_copied_per_process);
  return [arguments](const std::vector<std::string>& after_dashes) {
    if (!after_dashes.empty())
      return report_error({"wrong use", "no command is run here", "see cowtrace attach --help"},
                          kUsedWrongly);
    const auto options = attach_options(*arguments);
    if (!options) return report_error(options.error(), kUsedWrongly);
    const TraceEnd end = trace_running(*arguments, *options);
    return end.failed ? kFailed : end.exit_code;
  };
}

}  // namespace cowtrace::cli
