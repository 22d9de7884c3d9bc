// SPDX-License-Identifier: Apache-2.0
// scenario: known copy-on-write behaviour on demand, and the truth about it. It knows nothing of
// cowtrace.
#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "scenario/after_exec.h"
#include "scenario/experiment.h"

namespace scenario {
namespace {

constexpr std::uint64_t kMaxPages = 16ull << 20;
constexpr std::uint64_t kMaxChildren = 1024;

struct Arguments {
  std::string name;
  std::optional<std::string> pages;
  std::optional<std::string> children;
  std::optional<std::string> truth;
};

Result<std::uint64_t> parse_count(const std::string& option, const std::string& text,
                                  std::uint64_t most) {
  std::uint64_t count = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc{} || stop != end || count < 1 || count > most) {
    return failed(fmt::format("{} {}", option, text), "not a number that it takes",
                  fmt::format("give 1 to {}", most));
  }
  return count;
}

const Experiment* find(const std::string& name) {
  for (const Experiment& experiment : experiments()) {
    if (experiment.name == name) return &experiment;
  }
  return nullptr;
}

Result<void> list(const Arguments& arguments) {
  if (arguments.pages || arguments.children || arguments.truth) {
    return failed("list", "it takes no options", "say: scenario list");
  }
  for (const Experiment& experiment : experiments()) {
    fmt::print("{:<15} {:<53} {}\n", experiment.name, experiment.what, experiment.kernel);
  }
  return {};
}

Result<void> run(const Arguments& arguments) {
  const Experiment* experiment = find(arguments.name);
  if (experiment == nullptr)
    return failed(arguments.name, "no such experiment", "see: scenario list");
  Options options{experiment->name, experiment->default_pages, experiment->default_children,
                  arguments.truth.has_value()};
  if (arguments.pages) {
    const auto pages = parse_count("--pages", *arguments.pages, kMaxPages);
    if (!pages) return tl::unexpected<Failure>(pages.error());
    options.pages = *pages;
  }
  if (arguments.children) {
    const auto children = parse_count("--children", *arguments.children, kMaxChildren);
    if (!children) return tl::unexpected<Failure>(children.error());
    options.children = *children;
  }
  auto truth = experiment->run(options);
  if (!truth) {
    Failure failure = truth.error();
    failure.what = arguments.name + ": " + failure.what;
    return tl::unexpected<Failure>(failure);
  }
  if (arguments.truth) {
    if (auto written = write_json(*truth, *arguments.truth); !written) return written;
  }
  fmt::print("{}", describe(*truth));
  return check(*truth);
}

int main_status(int argc, char** argv) {
  CLI::App app{
      "Fork experiments whose copy-on-write behaviour is known.\n"
      "Exit status: 0 done, 1 failed, 77 not possible on this kernel or machine, or as this user.",
      "scenario"};
  Arguments arguments;
  app.add_option("NAME", arguments.name, "name of an experiment, or `list`")->required();
  app.add_option("--pages", arguments.pages,
                 "pages in the buffer; two more pages hold small objects and a global variable");
  app.add_option("--children", arguments.children, "processes to fork");
  app.add_option("--truth", arguments.truth,
                 "write what the page tables say to FILE, as JSON (needs CAP_SYS_ADMIN)")
      ->type_name("FILE");
  Result<void> result;
  try {
    app.parse(argc, argv);
    result = arguments.name == "list" ? list(arguments) : run(arguments);
    if (result && std::fflush(stdout) != 0)
      result = failed("cannot write to standard output", std::strerror(errno));
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    result = failed("command line", error.what(), "see: scenario --help");
  } catch (const std::exception& error) {
    result = failed("cannot go on", error.what());
  }
  if (result) return 0;
  fmt::print(stderr, "{}\n", result.error().message());
  return static_cast<int>(result.error().status);
}

}  // namespace
}  // namespace scenario

int main(int argc, char** argv) {
  if (argc == 5 && std::string_view(argv[1]) == scenario::kAfterExec)
    return scenario::after_exec(std::atoi(argv[2]), std::strtoull(argv[3], nullptr, 10),
                                argv[4][0] == '1');
  return scenario::main_status(argc, argv);
}
