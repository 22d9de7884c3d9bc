// SPDX-License-Identifier: Apache-2.0
#include "pipeline/outputs.h"

#include <unistd.h>

#include <utility>

#include "analysis/join.h"
#include "base/fd.h"
#include "base/units.h"
#include "pipeline/output_file.h"

namespace cowtrace::pipeline {
namespace {

bool is_trace(const report::Format& format) { return format.make == nullptr; }

// Half a report is none, and what a buffer still holds would be written into the room that is made.
void leave_empty(__gnu_cxx::stdio_filebuf<char>& buffer) {
  const Fd file(dup(buffer.fd()));
  buffer.close();
  static_cast<void>(ftruncate(file.get(), 0));
}

}  // namespace

Result<Outputs> Outputs::open(const std::vector<std::string>& paths, const report::ReportOptions& options) {
  // All names are checked before any file is made.
  std::vector<std::unique_ptr<report::Reporter>> reporters;
  for (const std::string& path : paths) {
    const auto format = report::format_of_file(path);
    if (!format) return tl::unexpected(format.error());
    reporters.emplace_back();
    if (!is_trace(**format)) reporters.back() = (*format)->make(options);
  }
  Outputs outputs;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    auto fd = open_output(paths[i]);
    if (!fd) return tl::unexpected(fd.error());
    if (reporters[i] == nullptr) {
      outputs.recorder_->add_file(std::move(*fd), paths[i], options.version);
      continue;
    }
    auto buffer = std::make_unique<FileBuffer>(fd->release(), std::ios::out | std::ios::binary);
    auto stream = std::make_unique<std::ostream>(buffer.get());
    std::ostream* const to = stream.get();
    outputs.outputs_.push_back({paths[i], std::move(buffer), std::move(stream), to, std::move(reporters[i])});
  }
  return outputs;
}

Status Outputs::show(const std::string& format, const report::ReportOptions& options, std::ostream& out) {
  const auto found = report::format_named(format);
  if (!found) return tl::unexpected(found.error());
  if (is_trace(**found)) return fail("--format " + format, "a trace is for files", "use -o FILE.cow");
  outputs_.push_back({{}, nullptr, nullptr, &out, (*found)->make(options)});
  return {};
}

Status Outputs::write(model::Session& session, model::Resolver& resolver,
                      const Debuginfod* debuginfod, const process::DebugBudget* budget) {
  trace::RecordingResolver recording(resolver);
  model::Resolver& asked = recorder_->active() ? recording : resolver;
  analysis::JoinOptions options;
  options.name_sites = !outputs_.empty() || recorder_->active();
  analysis::Summary summary = analysis::join(session, asked, options);
  // All names have been asked for by now.
  if (options.name_sites) {
    std::vector<std::string> notes = debuginfod != nullptr ? debuginfod->notes() : std::vector<std::string>();
    if (budget != nullptr)
      for (std::string& note : budget->notes()) notes.push_back(std::move(note));
    for (std::string& note : notes) {
      // Before what the join has to say, as when a trace is joined again.
      auto& said = summary.capture.notes;
      said.insert(said.begin() + static_cast<std::ptrdiff_t>(session.capture.notes.size()), note);
      session.capture.notes.push_back(std::move(note));
    }
  }
  if (budget_.is_set()) verdict_ = judge(budget_, summary);
  Status result;
  const auto keep_first = [&](Status status) {
    if (result && !status) result = std::move(status);
  };
  for (Output& output : outputs_) {
    const Status written = output.reporter->write(summary, session, asked, *output.stream);
    output.stream->flush();
    if (!*output.stream && !output.path.empty()) {
      leave_empty(*output.buffer);
      keep_first(fail("cannot write " + printable(output.path), "the disk may be full, so it was left empty", "make room or choose another -o"));
    } else {
      keep_first(written);
    }
  }
  keep_first(recorder_->finish(session, recording));
  return result;
}

}  // namespace cowtrace::pipeline
