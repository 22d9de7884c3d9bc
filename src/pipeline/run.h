// SPDX-License-Identifier: Apache-2.0
// `cowtrace run` and `top`: starts a command, captures its family until it ends, and leaves a Session and a Resolver to report from.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "capture/capture.h"
#include "model/objects.h"
#include "model/session.h"
#include "pipeline/recorder.h"
#include "top/view.h"

namespace cowtrace::pipeline {

enum class SnapshotMode { Exact, Passive, Off };

struct RunOptions {
  std::vector<std::string> command;
  std::optional<std::string> user;
  std::string backend = "auto";
  capture::CaptureOptions capture;
  SnapshotMode snapshot = SnapshotMode::Exact;
  std::optional<std::uint64_t> duration_ns;
  bool progress = true;
  std::vector<std::string> watches;  // expressions, as python::parse_expression() takes them; none with a view
  top::View* view = nullptr;         // shows the capture while it runs; open() and close() are called
};

struct RunOutcome {
  int exit_code = 0;           // as the command's shell would say it
  std::optional<Error> error;  // the command could not be started: print this, there is nothing to report
  std::unique_ptr<model::Session> session;
  std::unique_ptr<model::Resolver> resolver;
};

// Everything is told to `recorder` while it happens. Errors: nothing was started.
Result<RunOutcome> run(const RunOptions& options, Recorder& recorder);

}  // namespace cowtrace::pipeline
