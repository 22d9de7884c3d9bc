// SPDX-License-Identifier: Apache-2.0
// Where reports go: files that are opened before the command starts, so that a run is never lost to
// a wrong name.
#pragma once

#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "analysis/report.h"
#include "base/result.h"
#include "model/facts.h"
#include "model/session.h"
#include "pipeline/budget.h"
#include "pipeline/recorder.h"
#include "pipeline/report_file.h"
#include "pipeline/stage_line.h"
#include "pipeline/traced.h"
#include "report/formats.h"

namespace cowtrace::pipeline {

class Outputs {
 public:
  // Opens each of `paths` for writing; the suffix chooses the format. Fails on the first that
  // cannot be written or is no format.
  static Result<Outputs> open(const std::vector<std::string>& paths,
                              const report::ReportOptions& options);

  // One more, after the files: the format of this name goes to descriptor `fd`, 1 or 2. Fails if
  // there is no such format.
  Status show(const std::string& format, const report::ReportOptions& options, int fd);

  // The traces among the outputs: to be told of everything until write(), which completes them.
  [[nodiscard]] Recorder& recorder() { return *recorder_; }

  // What the session is held against when it is written.
  void set_budget(const Budget& budget) { budget_ = budget; }

  // Resolves what a capture left, joins it and writes all outputs. Every one is tried; the first
  // failure is returned, but none of standard error. `stage` says what is being done. After an
  // interrupt (base/interrupt.h) what is not whole yet is written without what would take long, and
  // says so. The resolver ends with the last question.
  Status write(Traced& traced, StageLine& stage);
  // The same of a session that was resolved before, as that of a trace.
  Status write(model::Session& session, model::Facts facts, StageLine& stage);

  // After write(); none without a budget.
  [[nodiscard]] const std::optional<Verdict>& verdict() const { return verdict_; }
  // After write(): the reader of standard output is gone, which needs no message.
  [[nodiscard]] bool reader_left() const { return reader_left_; }

 private:
  struct Output {
    std::string path;  // for messages; empty: not a file of ours
    int fd = -1;       // of what is shown
    std::string format;
    std::unique_ptr<ReportFile> file;  // of a path
    report::WriteReport* write = nullptr;
    report::ReportOptions options;
    bool done = false;
  };
  struct Work {
    model::Session& session;
    Traced* traced;  // nullptr: the facts are known
    StageLine& stage;
    bool hurried = false;  // an interrupt came before names were known
  };

  Status write(Work& work);
  // Each leaves by Interrupted where it is to be given up.
  void write_what_is_left(const Work& work);
  void resolve(const Work& work);
  void note(const Work& work, analysis::Summary& summary);
  void write_file(Output& output, const analysis::Report& report);
  void write_shown(Output& output, const Work& work, const analysis::Report& report);
  void keep_first(Status status);

  std::vector<Output> outputs_;
  std::optional<model::Facts> facts_;  // none: not resolved yet
  Budget budget_;
  std::optional<Verdict> verdict_;
  bool reader_left_ = false;
  bool names_noted_ = false;
  Status result_;
  std::unique_ptr<Recorder> recorder_ = std::make_unique<Recorder>();
};

}  // namespace cowtrace::pipeline
