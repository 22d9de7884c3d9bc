// SPDX-License-Identifier: Apache-2.0
#include "cli/report_options.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "cli/version.h"

namespace cowtrace::cli {

Result<report::ReportOptions> report_options(const std::string& color, bool verbose, int shown_on) {
  const bool terminal = isatty(shown_on) == 1;
  const bool plain = std::getenv("NO_COLOR") != nullptr;
  const auto colored = choose<bool>({{"auto", terminal && !plain}, {"always", true}, {"never", false}}, "--color", color);
  if (!colored) return tl::unexpected(colored.error());
  report::ReportOptions options;
  options.version = kVersion;
  options.color = *colored;
  if (verbose) options.rows = 50;
  winsize size{};
  if (terminal && ioctl(shown_on, TIOCGWINSZ, &size) == 0 && size.ws_col >= 80) options.width = std::min<std::size_t>(size.ws_col, 160);
  return options;
}

}  // namespace cowtrace::cli
