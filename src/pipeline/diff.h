// SPDX-License-Identifier: Apache-2.0
// From trace files to a comparison, and where it is written to.
#pragma once

#include <ext/stdio_filebuf.h>

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "analysis/compare.h"
#include "base/result.h"
#include "report/diff.h"

namespace cowtrace::pipeline {

// Reads the runs of both sides, one at a time: only their figures stay in memory. Fails on the first that cannot be read.
[[nodiscard]] Result<analysis::Comparison> compare_traces(const std::vector<std::string>& before, const std::vector<std::string>& after);

class DiffOutputs {
 public:
  // To be written to each of `paths`; the suffix chooses the format. Makes no file yet.
  [[nodiscard]] Status add_files(const std::vector<std::string>& paths, const report::ReportOptions& options);
  // One more: the format of this name goes to `out`. Fails if there is no such format.
  [[nodiscard]] Status show(const std::string& format, const report::ReportOptions& options, std::ostream& out);

  // Opens the files. Fails on the first that cannot be written.
  [[nodiscard]] Status open();

  // Every output is tried; the first failure is returned.
  [[nodiscard]] Status write(const analysis::Comparison& comparison);

 private:
  using FileBuffer =
      __gnu_cxx::stdio_filebuf<char>;  // a stream over a descriptor that we opened our own way
  struct Output {
    std::string path;  // for messages; empty: not a file of ours
    std::unique_ptr<FileBuffer> buffer;
    std::unique_ptr<std::ostream> owned;
    std::ostream* stream = nullptr;
    const report::DiffFormat* format = nullptr;
    report::ReportOptions options;
  };
  std::vector<Output> outputs_;
};

}  // namespace cowtrace::pipeline
