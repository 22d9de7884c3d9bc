// SPDX-License-Identifier: Apache-2.0
// Where reports go: files that are opened before the command starts, so that a run is never lost to a wrong name.
#pragma once

#include <ext/stdio_filebuf.h>

#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/objects.h"
#include "model/session.h"
#include "pipeline/budget.h"
#include "pipeline/debuginfod.h"
#include "pipeline/recorder.h"
#include "report/formats.h"

namespace cowtrace::pipeline {

class Outputs {
 public:
  // Opens each of `paths` for writing; the suffix chooses the format. Fails on the first that cannot be written or is no format.
  static Result<Outputs> open(const std::vector<std::string>& paths, const report::ReportOptions& options);

  // One more, after the files: the format of this name goes to `out`. Fails if there is no such format.
  Status show(const std::string& format, const report::ReportOptions& options, std::ostream& out);

  // The traces among the outputs: to be told of everything until write(), which completes them.
  [[nodiscard]] Recorder& recorder() { return *recorder_; }

  // What the session is held against when it is written.
  void set_budget(const Budget& budget) { budget_ = budget; }

  // Joins the session and writes all outputs. Every one is tried; the first failure is returned.
  // `debuginfod`: that the resolver asks, and whose notes become the session's; nullptr: nobody. So
  // do those of `budget`, that it takes from; nullptr: of none.
  Status write(model::Session& session, model::Resolver& resolver,
               const Debuginfod* debuginfod = nullptr,
               const process::DebugBudget* budget = nullptr);

  // After write(); none without a budget.
  [[nodiscard]] const std::optional<Verdict>& verdict() const { return verdict_; }

 private:
  using FileBuffer = __gnu_cxx::stdio_filebuf<char>;  // a stream over a descriptor that we opened our own way
  struct Output {
    std::string path;  // for messages; empty: not a file of ours
    std::unique_ptr<FileBuffer> buffer;
    std::unique_ptr<std::ostream> owned;
    std::ostream* stream = nullptr;
    std::unique_ptr<report::Reporter> reporter;
  };
  std::vector<Output> outputs_;
  Budget budget_;
  std::optional<Verdict> verdict_;
  std::unique_ptr<Recorder> recorder_ = std::make_unique<Recorder>();
};

}  // namespace cowtrace::pipeline
