// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"

namespace cowtrace::cli {

Action configure_unbuilt(CLI::App& app) {
  app.allow_extras();
  return [&app](const auto&) { return report_error({app.get_name(), "not built yet", "use cowtrace run"}, kUsedWrongly); };
}

}  // namespace cowtrace::cli
