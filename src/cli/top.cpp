// SPDX-License-Identifier: Apache-2.0
// cowtrace top
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/units.h"
#include "cli/commands.h"
#include "cli/tracing.h"
#include "top/plain.h"
#include "top/screen.h"

namespace cowtrace::cli {
namespace {

std::unique_ptr<top::View> make_view(const TraceArguments& arguments, std::string title) {
  if (!top::Screen::possible()) return std::make_unique<top::PlainLines>(stdout);
  const bool color = arguments.color == "always" ||
                     (arguments.color == "auto" && std::getenv("NO_COLOR") == nullptr);
  return std::make_unique<top::Screen>(std::move(title), color);
}

// What is wrong is said in one line before the screen is taken.
int show_command(const RunArguments& arguments) {
  auto options = run_options(arguments);
  if (!options) return report_error(options.error(), kUsedWrongly);
  std::string title;
  for (const std::string& word : arguments.command) title += (title.empty() ? "" : " ") + word;
  const auto view = make_view(arguments, std::move(title));
  options->view = view.get();
  return trace(arguments,
               [&](pipeline::Recorder& recorder) {
                 return pipeline::run(*options, recorder);
               }).failed
             ? kFailed
             : kDone;
}

int show_running(const RunArguments& given, const std::vector<std::string>& pids) {
  AttachArguments arguments;
  static_cast<TraceArguments&>(arguments) = given;
  arguments.pids = pids;
  auto options = attach_options(arguments);
  if (!options) return report_error(options.error(), kUsedWrongly);
  std::string title;
  for (const std::string& pid : pids) title += (title.empty() ? "" : " ") + pid;
  const auto view = make_view(arguments, std::move(title));
  options->view = view.get();
  const TraceEnd end = trace_running(arguments, *options);
  return end.failed ? kFailed : kDone;
}

}  // namespace

Action configure_top(CLI::App& app) {
  const auto arguments = std::make_shared<RunArguments>();
  const auto pids = std::make_shared<std::vector<std::string>>();
  app.add_option(
      "PID", *pids,
      "running processes, with their descendants; or a command and its arguments, after --");
  app.add_option("-u,--user", arguments->user, "run COMMAND as user NAME")
      ->type_name("NAME")
      ->check(not_empty());
  add_trace_options(app, *arguments);
  const CLI::Option* snapshot = app.get_option("--snapshot");
  return [arguments, pids, snapshot](const std::vector<std::string>& after_dashes) {
    if (pids->empty() == after_dashes.empty())
      return report_error(
          {"wrong use", pids->empty() ? "no COMMAND and no PID" : "a PID and a COMMAND",
           "cowtrace top [OPTIONS] PID... or cowtrace top [OPTIONS] -- COMMAND; see cowtrace top "
           "--help"},
          kUsedWrongly);
    if (pids->empty()) {
      arguments->command = after_dashes;
      return show_command(*arguments);
    }
    if (!arguments->user.empty())
      return report_error({"-u", "no command is run here", "leave it out"}, kUsedWrongly);
    if (snapshot->empty()) arguments->snapshot = "passive";
    return show_running(*arguments, *pids);
  };
}

}  // namespace cowtrace::cli
