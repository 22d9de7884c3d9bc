// SPDX-License-Identifier: Apache-2.0
#include "cli/report_options.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "cli/version.h"
#include "report/formats.h"

namespace cowtrace::cli {

Status set_filter(const std::vector<std::string>& conditions, const std::vector<std::string>& files,
                  const std::string& format, report::ReportOptions& options) {
  for (const std::string& condition : conditions)
    if (auto added = options.filter.add(condition); !added) return added;
  const auto is_filtered = [](const std::string& path) {
    const auto found = report::format_of_file(path);
    return found && (*found)->filtered;
  };
  const auto shown = report::format_named(format);
  if (options.filter.everything() || (shown && (*shown)->filtered) ||
      std::any_of(files.begin(), files.end(), is_filtered))
    return {};
  return fail("--filter", "there is no -o for it",
              fmt::format("name a file {}", report::filtered_suffixes()));
}

Result<report::ReportOptions> report_options(const std::string& color, bool verbose, int shown_on) {
  const bool terminal = isatty(shown_on) == 1;
  const bool plain = std::getenv("NO_COLOR") != nullptr;
  const auto colored = choose<bool>(
      {{"auto", terminal && !plain}, {"always", true}, {"never", false}}, "--color", color);
  if (!colored) return tl::unexpected(colored.error());
  report::ReportOptions options;
  options.version = kVersion;
  options.color = *colored;
  if (verbose) options.rows = 50;
  winsize size{};
  if (terminal && ioctl(shown_on, TIOCGWINSZ, &size) == 0 && size.ws_col >= 80)
    options.width = std::min<std::size_t>(size.ws_col, 160);
  return options;
}

std::string format_names() {
  std::string names;
  for (const report::Format& format : report::formats())
    if (format.write != nullptr)
      names += fmt::format("{}{}", names.empty() ? "" : "|", format.name);
  return names;
}

std::optional<std::string> shown_format(std::vector<std::string>& outputs,
                                        const std::string& format) {
  const bool dash = std::erase(outputs, "-") != 0;
  if (!format.empty()) return format;
  return dash || outputs.empty() ? std::optional<std::string>("text") : std::nullopt;
}

}  // namespace cowtrace::cli
