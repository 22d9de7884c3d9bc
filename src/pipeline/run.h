// SPDX-License-Identifier: Apache-2.0
// `cowtrace run` and `top -- COMMAND`: starts a command, captures its family until it ends, and
// leaves a session and a resolver to report from.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "pipeline/recorder.h"
#include "pipeline/tracing.h"

namespace cowtrace::pipeline {

struct RunOptions : TraceOptions {
  std::vector<std::string> command;
  std::optional<std::string> user;
};

struct RunOutcome {
  int exit_code = 0;  // as the command's shell would say it
  std::optional<Error>
      error;  // the command could not be started: print this, there is nothing to report
  Traced traced;
};

// Everything is told to `recorder` while it happens. Errors: nothing was started.
Result<RunOutcome> run(const RunOptions& options, Recorder& recorder);

}  // namespace cowtrace::pipeline
