// SPDX-License-Identifier: Apache-2.0
#include "pipeline/outputs.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "analysis/join.h"
#include "base/units.h"

namespace cowtrace::pipeline {

Result<Outputs> Outputs::open(const std::vector<std::string>& paths, const report::ReportOptions& for_terminal,
                              const report::ReportOptions& for_files) {
  Outputs outputs;
  outputs.for_terminal_ = for_terminal;
  // All names are checked before any file is made.
  for (const std::string& path : paths) {
    const auto format = report::format_of_file(path);
    if (!format) return tl::unexpected(format.error());
    auto reporter = report::make_reporter(**format, for_files);
    if (!reporter) return tl::unexpected(reporter.error());
    outputs.files_.push_back({path, nullptr, nullptr, std::move(*reporter)});
  }
  for (File& file : outputs.files_) {
    // Not for the command to inherit.
    const int fd = ::open(file.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return fail_errno("cannot write " + printable(file.path), errno, "choose another -o");
    file.buffer = std::make_unique<FileBuffer>(fd, std::ios::out | std::ios::binary);
    file.stream = std::make_unique<std::ostream>(file.buffer.get());
  }
  return outputs;
}

Status Outputs::write(const model::Session& session, model::Resolver& resolver, std::ostream* text) {
  const analysis::Summary summary = analysis::join(session, resolver);
  Status result;
  const auto keep_first = [&](Status status) {
    if (result && !status) result = std::move(status);
  };
  for (File& file : files_) {
    const Status written = file.reporter->write(summary, session, resolver, *file.stream);
    file.stream->flush();
    if (!*file.stream)
      keep_first(fail("cannot write " + printable(file.path), "the disk may be full", "make room or choose another -o"));
    else
      keep_first(written);
  }
  if (text != nullptr) {
    auto format = report::format_named("text");
    if (!format) return tl::unexpected(format.error());
    auto reporter = report::make_reporter(**format, for_terminal_);
    if (!reporter) return tl::unexpected(reporter.error());
    keep_first((*reporter)->write(summary, session, resolver, *text));
    text->flush();
  }
  return result;
}

}  // namespace cowtrace::pipeline
