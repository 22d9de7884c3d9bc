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
#include "cli/run_arguments.h"
#include "top/plain.h"
#include "top/screen.h"

namespace cowtrace::cli {
namespace {

std::unique_ptr<top::View> make_view(const RunArguments& arguments) {
  if (!top::Screen::possible()) return std::make_unique<top::PlainLines>(stdout);
  std::string command;
  for (const std::string& word : arguments.command) command += (command.empty() ? "" : " ") + word;
  const bool color = arguments.color == "always" || (arguments.color == "auto" && std::getenv("NO_COLOR") == nullptr);
  return std::make_unique<top::Screen>(std::move(command), color);
}

int show(const RunArguments& arguments) {
  // Before the screen is taken: what is wrong is said in one line.
  if (auto options = resolve(arguments); !options) return report_error(options.error(), kUsedWrongly);
  const auto view = make_view(arguments);
  return run(arguments, view.get()).failed ? kFailed : kDone;
}

}  // namespace

Action configure_top(CLI::App& app) {
  const auto arguments = std::make_shared<RunArguments>();
  add_run_options(app, *arguments);
  app.get_option("COMMAND")->description("the command and its arguments, after --; processes that run already are not built yet");
  return [arguments](const std::vector<std::string>& after_dashes) {
    if (!arguments->command.empty())
      return report_error({"top " + printable(arguments->command[0]), "processes that run already are not built yet",
                           "cowtrace top -- COMMAND"}, kUsedWrongly);
    arguments->command = after_dashes;
    if (arguments->command.empty())
      return report_error({"wrong use", "no COMMAND", "cowtrace top [OPTIONS] -- COMMAND; see cowtrace top --help"}, kUsedWrongly);
    return show(*arguments);
  };
}

}  // namespace cowtrace::cli
