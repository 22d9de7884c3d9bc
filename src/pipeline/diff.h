// SPDX-License-Identifier: Apache-2.0
// From trace files to a comparison, and where it is written to.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "analysis/compare.h"
#include "base/result.h"
#include "pipeline/report_file.h"
#include "report/diff.h"

namespace cowtrace::pipeline {

// Reads the runs of both sides, one at a time: only their figures stay in memory. Fails on the
// first that cannot be read.
[[nodiscard]] Result<analysis::Comparison> compare_traces(const std::vector<std::string>& before,
                                                          const std::vector<std::string>& after);

class DiffOutputs {
 public:
  // To be written to each of `paths`; the suffix chooses the format. Makes no file yet.
  [[nodiscard]] Status add_files(const std::vector<std::string>& paths,
                                 const report::ReportOptions& options);
  // One more: the format of this name goes to descriptor `fd`. Fails if there is no such format.
  [[nodiscard]] Status show(const std::string& format, const report::ReportOptions& options,
                            int fd);

  // Opens the files. Fails on the first that cannot be written.
  [[nodiscard]] Status open();

  // Every output is tried; the first failure is returned.
  [[nodiscard]] Status write(const analysis::Comparison& comparison);
  // After write(): the reader of standard output is gone, which needs no message.
  [[nodiscard]] bool reader_left() const { return reader_left_; }

 private:
  struct Output {
    std::string path;  // empty: not a file of ours
    std::unique_ptr<ReportFile> file;
    const report::DiffFormat* format = nullptr;
    report::ReportOptions options;
  };
  std::vector<Output> outputs_;
  bool reader_left_ = false;
};

}  // namespace cowtrace::pipeline
