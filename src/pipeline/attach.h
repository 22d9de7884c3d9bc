// SPDX-License-Identifier: Apache-2.0
// `cowtrace attach` and `top PID...`: captures processes that run already, and what they fork, and
// leaves a session and a resolver to report from. They are not stopped unless exact snapshots are
// asked for, and nothing is left in them.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "pipeline/recorder.h"
#include "pipeline/tracing.h"

namespace cowtrace::pipeline {

struct AttachOptions : TraceOptions {
  AttachOptions() { capture.attach = true; }

  std::vector<pid_t> pids;
  std::vector<std::string>
      cgroups;       // folders or names; whoever joins one of them is traced within a second
  bool all = false;  // the whole machine
};

// Ends when all of `pids` and what descends from them have ended, at a signal, with --duration, or
// when the view is left. Everything is told to `recorder` while it happens. Errors: nothing was
// traced.
Result<Traced> attach(const AttachOptions& options, Recorder& recorder);

}  // namespace cowtrace::pipeline
