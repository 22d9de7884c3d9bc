// SPDX-License-Identifier: Apache-2.0
#include "pipeline/diff.h"

#include <utility>

#include "analysis/join.h"
#include "base/units.h"
#include "pipeline/output_file.h"
#include "trace/reader.h"

namespace cowtrace::pipeline {
namespace {

Result<std::vector<analysis::RunFigures>> read_side(const std::vector<std::string>& paths) {
  std::vector<analysis::RunFigures> side;
  for (const std::string& path : paths) {
    auto trace = trace::read_file(path);
    if (!trace) return tl::unexpected(trace.error());
    const analysis::Summary summary = analysis::join(*trace->session, *trace->resolver);
    analysis::RunFigures& figures = side.emplace_back(analysis::figures_of(summary));
    figures.trace = path;
    figures.complete = trace->complete;
  }
  return side;
}

}  // namespace

Result<analysis::Comparison> compare_traces(const std::vector<std::string>& before, const std::vector<std::string>& after) {
  auto side_before = read_side(before);
  if (!side_before) return tl::unexpected(side_before.error());
  auto side_after = read_side(after);
  if (!side_after) return tl::unexpected(side_after.error());
  return analysis::compare(std::move(*side_before), std::move(*side_after));
}

Status DiffOutputs::add_files(const std::vector<std::string>& paths, const report::ReportOptions& options) {
  for (const std::string& path : paths) {
    const auto format = report::diff_format_of_file(path);
    if (!format) return tl::unexpected(format.error());
    outputs_.push_back({path, nullptr, nullptr, nullptr, *format, options});
  }
  return {};
}

Status DiffOutputs::open() {
  for (Output& output : outputs_) {
    if (output.stream != nullptr) continue;
    auto file = open_output(output.path);
    if (!file) return tl::unexpected(file.error());
    output.buffer = std::make_unique<FileBuffer>(file->release(), std::ios::out | std::ios::binary);
    output.owned = std::make_unique<std::ostream>(output.buffer.get());
    output.stream = output.owned.get();
  }
  return {};
}

Status DiffOutputs::show(const std::string& format, const report::ReportOptions& options, std::ostream& out) {
  const auto found = report::diff_format_named(format);
  if (!found) return tl::unexpected(found.error());
  outputs_.push_back({{}, nullptr, nullptr, &out, *found, options});
  return {};
}

Status DiffOutputs::write(const analysis::Comparison& comparison) {
  Status result;
  for (Output& output : outputs_) {
    Status written = output.format->write(comparison, output.options, *output.stream);
    output.stream->flush();
    if (!*output.stream)
      written = fail("cannot write " + (output.path.empty() ? "to standard output" : printable(output.path)), "the disk may be full",
                     "make room or choose another -o");
    if (result && !written) result = std::move(written);
  }
  return result;
}

}  // namespace cowtrace::pipeline
