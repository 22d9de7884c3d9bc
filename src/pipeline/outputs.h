// SPDX-License-Identifier: Apache-2.0
// Where reports go: files that are opened before the command starts, so that a run is never lost to a wrong name.
#pragma once

#include <ext/stdio_filebuf.h>

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/objects.h"
#include "model/session.h"
#include "report/formats.h"

namespace cowtrace::pipeline {

class Outputs {
 public:
  // Opens each of `paths` for writing; the suffix chooses the format. Fails on the first that cannot be written or is no format.
  static Result<Outputs> open(const std::vector<std::string>& paths, const report::ReportOptions& for_terminal,
                              const report::ReportOptions& for_files);

  // Joins the session and writes all files, and the text report to `text` unless that is nullptr. Every output is tried; the first
  // failure is returned.
  Status write(const model::Session& session, model::Resolver& resolver, std::ostream* text);

 private:
  using FileBuffer = __gnu_cxx::stdio_filebuf<char>;  // a stream over a descriptor that we opened our own way
  struct File {
    std::string path;
    std::unique_ptr<FileBuffer> buffer;
    std::unique_ptr<std::ostream> stream;
    std::unique_ptr<report::Reporter> reporter;
  };
  report::ReportOptions for_terminal_;
  std::vector<File> files_;
};

}  // namespace cowtrace::pipeline
