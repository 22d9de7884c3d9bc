// SPDX-License-Identifier: Apache-2.0
// cowtrace diff
#include "pipeline/diff.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/report_options.h"
#include "pipeline/ending.h"
#include "report/diff.h"

namespace cowtrace::cli {
namespace {

struct DiffArguments {
  std::string before, after;
  std::vector<std::string> outputs;
  std::string format, color = "auto";
  bool verbose = false;
};

// "a.cow,b.cow"; a file whose name has a comma in it is that file.
Result<std::vector<std::string>> traces_of(const std::string& list) {
  std::error_code absent;
  if (std::filesystem::exists(list, absent)) return std::vector{list};
  std::vector<std::string> traces;
  for (std::size_t start = 0; start <= list.size();) {
    const std::size_t end = std::min(list.find(',', start), list.size());
    if (end == start)
      return fail("wrong use", fmt::format("'{}' names an empty file", printable(list)),
                  "see cowtrace diff --help");
    traces.push_back(list.substr(start, end - start));
    start = end + 1;
  }
  return traces;
}

std::string diff_format_names() {
  std::string names;
  for (const report::DiffFormat& format : report::diff_formats())
    names += fmt::format("{}{}", names.empty() ? "" : "|", format.name);
  return names;
}

int diff(DiffArguments arguments) {
  auto options = report_options(arguments.color, arguments.verbose, STDOUT_FILENO);
  if (!options) return report_error(options.error(), kUsedWrongly);
  const auto before = traces_of(arguments.before);
  if (!before) return report_error(before.error(), kUsedWrongly);
  const auto after = traces_of(arguments.after);
  if (!after) return report_error(after.error(), kUsedWrongly);
  const auto format = shown_format(arguments.outputs, arguments.format);
  report::ReportOptions for_files = *options;
  for_files.color = false;
  pipeline::DiffOutputs outputs;
  if (auto added = outputs.add_files(arguments.outputs, for_files); !added)
    return report_error(added.error(), kUsedWrongly);
  if (format)
    if (auto added = outputs.show(*format, *options, STDOUT_FILENO); !added)
      return report_error(added.error(), kUsedWrongly);
  const auto comparison = pipeline::compare_traces(*before, *after);
  if (!comparison) return report_error(comparison.error(), kFailed);
  if (auto opened = outputs.open(); !opened) return report_error(opened.error(), kUsedWrongly);
  const Status written = outputs.write(*comparison);
  if (outputs.reader_left()) pipeline::Ending::die_of(SIGPIPE);
  if (!written) return report_error(written.error(), kFailed);
  return kDone;
}

}  // namespace

Action configure_diff(CLI::App& app) {
  const auto arguments = std::make_shared<DiffArguments>();
  DiffArguments& to = *arguments;
  app.add_option("BEFORE", to.before,
                 "trace recorded before the change; several runs: BEFORE.cow,MORE.cow")
      ->required();
  app.add_option("AFTER", to.after,
                 "trace recorded after the change; several runs per side separate it from noise")
      ->required();
  add_repeatable(app, "-o,--output", to.outputs,
                 "write the diff to FILE; its suffix selects the format (.txt, .json, .html); - is "
                 "standard output",
                 "FILE");
  app.add_option("--format", to.format, "format of the diff on standard output")
      ->type_name(diff_format_names());
  app.add_option("--color", to.color, "whether to color the diff")
      ->type_name(kColors)
      ->capture_default_str();
  app.add_flag("-v,--verbose", to.verbose, "print longer tables");
  return [arguments](const std::vector<std::string>& after_dashes) {
    if (!after_dashes.empty())
      return report_error({"wrong use", "no command is run here", "see cowtrace diff --help"},
                          kUsedWrongly);
    return diff(*arguments);
  };
}

}  // namespace cowtrace::cli
