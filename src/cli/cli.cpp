// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "base/say.h"
#include "base/units.h"
#include "cli/commands.h"
#include "cli/version.h"
#include "pipeline/ending.h"
#include "pipeline/inheritance.h"

namespace cowtrace::cli {
namespace {

constexpr std::array<Subcommand, 6> kSubcommands = {{
    {"run", "trace a command and every process that it forks; print a report when it ends",
     kRunFailed, configure_run},
    {"attach",
     "trace running processes and every process that they fork; print a report at the end",
     kUsedWrongly, configure_attach},
    {"report", "make reports from a trace file, on any machine, without root", kUsedWrongly,
     configure_report},
    {"diff", "compare traces recorded before and after a change", kUsedWrongly, configure_diff},
    {"top", "show breaks live, of a command or of running processes", kUsedWrongly, configure_top},
    {"doctor", "check what this kernel and this user can trace, and how to enable the rest",
     kUsedWrongly, configure_doctor},
}};

const Subcommand* find(const std::string& name) {
  const auto found = std::find_if(kSubcommands.begin(), kSubcommands.end(),
                                  [&](const auto& one) { return name == one.name; });
  return found == kSubcommands.end() ? nullptr : &*found;
}

// "run" may be left out; --help and --version belong to cowtrace itself.
std::vector<std::string> with_subcommand(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::string first = arguments.empty() ? "--help" : arguments[0];
  if (arguments.empty()) arguments.push_back(first);
  if (first != "--help" && first != "-h" && first != "--version" && find(first) == nullptr)
    arguments.insert(arguments.begin(), "run");
  return arguments;
}

int run_parsed(CLI::App& app, const std::vector<std::pair<CLI::App*, Action>>& actions,
               std::vector<std::string> arguments) {
  const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
  const std::vector<std::string> after_dashes(dashes == arguments.end() ? dashes : dashes + 1,
                                              arguments.end());
  arguments.erase(dashes, arguments.end());
  const Subcommand* chosen = find(arguments[0]);
  const int usage_code = chosen != nullptr ? chosen->usage_code : kUsedWrongly;
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  try {
    app.parse(arguments);
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    std::string why = error.what();
    std::replace(why.begin(), why.end(), '\n', ' ');
    return report_error(
        {"wrong use", printable(why),
         fmt::format("see cowtrace {}--help", chosen ? std::string(chosen->name) + " " : "")},
        usage_code);
  }
  for (const auto& [subcommand, action] : actions)
    if (subcommand->parsed()) return action(after_dashes);
  return report_error({"wrong use", "no command", "see cowtrace --help"}, usage_code);
}

// What was printed may be nowhere yet.
int flush_output(int code) {
  std::cout.flush();
  const bool taken = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  const int number = errno;
  if (taken) return code;
  if (number == EPIPE) pipeline::Ending::die_of(SIGPIPE);
  return report_error(fail_errno("cannot write to standard output", number, "make room").value(),
                      code == kDone ? kFailed : code);
}

}  // namespace

int report_error(const Error& error, int code) {
  say(error.message());
  return code;
}

std::vector<std::pair<CLI::App*, Action>> configure_all(CLI::App& app) {
  app.description(
      "Records every copy-on-write break in a family of processes: how much was copied, where, and "
      "why.");
  app.name("cowtrace");
  app.set_version_flag("--version", fmt::format("cowtrace {}", kVersion));
  app.require_subcommand(0, 1);
  app.footer("cowtrace [OPTIONS] -- COMMAND is the same as cowtrace run [OPTIONS] -- COMMAND.");
  std::vector<std::pair<CLI::App*, Action>> actions;
  for (const Subcommand& one : kSubcommands) {
    CLI::App* subcommand = app.add_subcommand(one.name, one.about);
    actions.emplace_back(subcommand, one.configure(*subcommand));
  }
  return actions;
}

int run_cli(int argc, char** argv) {
  if (auto taken = pipeline::Inheritance::take(); !taken) {
    const Subcommand* chosen = argc > 1 ? find(argv[1]) : nullptr;
    return report_error(taken.error(), chosen == nullptr || chosen->usage_code == kRunFailed
                                           ? kRunFailed
                                           : kFailed);
  }
  pipeline::Ending::begin();
  try {
    CLI::App app;
    const auto actions = configure_all(app);
    return flush_output(run_parsed(app, actions, with_subcommand(argc, argv)));
  } catch (const std::exception& error) {
    if (std::ferror(stdout) != 0) return flush_output(kDone);
    return report_error({"internal error", error.what(), "please report this"}, kRunFailed);
  }
}

}  // namespace cowtrace::cli
