// SPDX-License-Identifier: Apache-2.0
#include "pipeline/diff.h"

#include <unistd.h>

#include <ostream>
#include <utility>

#include "analysis/join.h"
#include "base/units.h"
#include "pipeline/output_file.h"
#include "report/incomplete.h"
#include "trace/reader.h"

namespace cowtrace::pipeline {
namespace {

Result<std::vector<analysis::RunFigures>> read_side(const std::vector<std::string>& paths) {
  std::vector<analysis::RunFigures> side;
  for (const std::string& path : paths) {
    auto trace = trace::read_file(path);
    if (!trace) return tl::unexpected(trace.error());
    const analysis::Report report = analysis::join(*trace->session, trace->facts);
    analysis::RunFigures& figures = side.emplace_back(analysis::figures_of(report.summary));
    figures.trace = path;
    figures.complete = trace->complete;
  }
  return side;
}

}  // namespace

Result<analysis::Comparison> compare_traces(const std::vector<std::string>& before,
                                            const std::vector<std::string>& after) {
  auto side_before = read_side(before);
  if (!side_before) return tl::unexpected(side_before.error());
  auto side_after = read_side(after);
  if (!side_after) return tl::unexpected(side_after.error());
  return analysis::compare(std::move(*side_before), std::move(*side_after));
}

Status DiffOutputs::add_files(const std::vector<std::string>& paths,
                              const report::ReportOptions& options) {
  for (const std::string& path : paths) {
    const auto format = report::diff_format_of_file(path);
    if (!format) return tl::unexpected(format.error());
    outputs_.push_back({path, nullptr, *format, options});
  }
  return {};
}

Status DiffOutputs::open() {
  for (Output& output : outputs_) {
    if (output.file != nullptr) continue;
    auto fd = open_output(output.path);
    if (!fd) return tl::unexpected(fd.error());
    output.file =
        std::make_unique<ReportFile>(std::move(*fd), report::incomplete(output.format->name));
  }
  return {};
}

Status DiffOutputs::show(const std::string& format, const report::ReportOptions& options, int fd) {
  const auto found = report::diff_format_named(format);
  if (!found) return tl::unexpected(found.error());
  outputs_.push_back(
      {{},
       std::make_unique<ReportFile>(Fd(dup(fd)), std::string(), ReportFile::Kind::Stream),
       *found,
       options});
  return {};
}

Status DiffOutputs::write(const analysis::Comparison& comparison) {
  Status result;
  for (Output& output : outputs_) {
    std::ostream out(output.file.get());
    Status written = output.format->write(comparison, output.options, out);
    const int error = output.file->finish();
    if (error == EPIPE && output.path.empty()) reader_left_ = true;
    if (error != 0)
      written = fail_errno(
          "cannot write " + (output.path.empty() ? "to standard output" : printable(output.path)),
          error, "make room or choose another -o");
    if (result && !written) result = std::move(written);
  }
  return result;
}

}  // namespace cowtrace::pipeline
