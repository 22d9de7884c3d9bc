// SPDX-License-Identifier: Apache-2.0
#include "pipeline/outputs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <sstream>
#include <system_error>
#include <utility>

#include "analysis/join.h"
#include "analysis/resolve.h"
#include "analysis/sites.h"
#include "base/interrupt.h"
#include "base/say.h"
#include "base/units.h"
#include "pipeline/ending.h"
#include "pipeline/output_file.h"
#include "report/incomplete.h"

namespace cowtrace::pipeline {
namespace {

bool is_trace(const report::Format& format) {
  return format.write == nullptr;
}

// How many sites have a function without a name.
std::uint64_t sites_without_names(const analysis::Summary& summary) {
  std::uint64_t unnamed = 0;
  for (const auto* sites : {&summary.sites, &summary.allocators})
    for (const analysis::SiteSummary& site : *sites) {
      const auto& named = site.frames;
      unnamed +=
          std::any_of(named.begin(), named.end(),
                      [](const model::StackFrame* frame) { return !frame->why_unnamed.empty(); })
              ? 1
              : 0;
    }
  return unnamed;
}

// What an interrupt has cost; breaks that only a mapping is known of were there before, too.
std::string interrupt_note(const analysis::Summary& summary, std::uint64_t unnamed_sites) {
  std::uint64_t with_object = 0;
  for (const analysis::ObjectSummary& object : summary.objects) with_object += object.breaks;
  const std::uint64_t without =
      summary.totals.breaks - std::min(summary.totals.breaks, with_object);
  return fmt::format(
      "cowtrace was interrupted by {} before it had looked for names: of {} breaks only the "
      "mapping is known, and objects of Python are "
      "not named; {} stacks have functions without a name",
      name_of_signal(interrupted_by()), human_count(without), human_count(unnamed_sites));
}

}  // namespace

Result<Outputs> Outputs::open(const std::vector<std::string>& paths,
                              const report::ReportOptions& options) {
  // All names are checked before any file is made.
  std::vector<const report::Format*> formats;
  for (const std::string& path : paths) {
    const auto format = report::format_of_file(path);
    if (!format) return tl::unexpected(format.error());
    formats.push_back(*format);
  }
  Outputs outputs;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    auto fd = open_output(paths[i]);
    if (!fd) return tl::unexpected(fd.error());
    if (is_trace(*formats[i])) {
      outputs.recorder_->add_file(std::move(*fd), paths[i], options.version);
      continue;
    }
    Output& output = outputs.outputs_.emplace_back();
    output.path = paths[i];
    output.format = formats[i]->name;
    output.file =
        std::make_unique<ReportFile>(std::move(*fd), report::incomplete(formats[i]->name));
    output.write = formats[i]->write;
    output.options = options;
  }
  return outputs;
}

Status Outputs::show(const std::string& format, const report::ReportOptions& options, int fd) {
  const auto found = report::format_named(format);
  if (!found) return tl::unexpected(found.error());
  if (is_trace(**found))
    return fail("--format " + format, "a trace is for files", "use -o FILE.cow");
  Output& output = outputs_.emplace_back();
  output.fd = fd;
  output.format = format;
  output.write = (*found)->write;
  output.options = options;
  return {};
}

void Outputs::keep_first(Status status) {
  if (result_ && !status) result_ = std::move(status);
}

Status Outputs::write(Traced& traced, StageLine& stage) {
  Work work{*traced.session, &traced, stage};
  return write(work);
}

Status Outputs::write(model::Session& session, model::Facts facts, StageLine& stage) {
  facts_ = std::move(facts);
  Work work{session, nullptr, stage};
  return write(work);
}

Status Outputs::write(Work& work) {
  try {
    const HeedInterrupts heed;
    write_what_is_left(work);
    return result_;
  } catch (const Interrupted&) {
    for (Output& output : outputs_)
      if (output.file != nullptr && !output.done) output.file->restart();
  }
  if (!facts_) {
    work.hurried = true;
    work.traced->resolver->hurry();
  }
  write_what_is_left(work);
  return result_;
}

void Outputs::resolve(const Work& work) {
  work.stage.show("naming objects");
  analysis::ResolveOptions options;
  options.name_stacks = !outputs_.empty() || recorder_->active();
  facts_ = analysis::resolve(work.session, *work.traced->resolver, options);
  work.traced->resolver.reset();
}

void Outputs::write_what_is_left(const Work& work) {
  if (!facts_) resolve(work);
  analysis::JoinOptions options;
  options.name_sites = !outputs_.empty() || recorder_->active();
  analysis::Report report = analysis::join(work.session, *facts_, options);
  if (options.name_sites) note(work, report.summary);
  if (budget_.is_set()) verdict_ = judge(budget_, report.summary);
  for (Output& output : outputs_) {
    if (output.done) continue;
    work.stage.show(output.path.empty() ? "writing the report"
                                        : "writing " + printable(output.path));
    if (output.file != nullptr)
      write_file(output, report);
    else
      write_shown(output, work, report);
    output.done = true;
  }
  if (!recorder_->active()) return;
  work.stage.show("writing the trace");
  keep_first(recorder_->finish(work.session, *facts_));
}

// All names have been asked for by now.
void Outputs::note(const Work& work, analysis::Summary& summary) {
  const auto add = [&](std::string text) {
    // Before what the join has to say, as when a trace is joined again.
    auto& said = summary.capture.notes;
    const auto of_capture = static_cast<std::ptrdiff_t>(work.session.capture.notes.size());
    said.insert(said.begin() + of_capture, text);
    work.session.capture.notes.push_back(std::move(text));
  };
  if (!std::exchange(names_noted_, true)) {
    if (work.traced != nullptr && work.traced->debuginfod != nullptr)
      for (std::string& text : work.traced->debuginfod->notes()) add(std::move(text));
    if (work.traced != nullptr && work.traced->debug_budget != nullptr)
      for (std::string& text : work.traced->debug_budget->notes()) add(std::move(text));
  }
  if (work.hurried) add(interrupt_note(summary, sites_without_names(summary)));
}

void Outputs::write_file(Output& output, const analysis::Report& report) {
  std::ostream out(output.file.get());
  const Status written = output.write(report, output.options, out);
  const int error = output.file->finish();
  if (error != 0)
    keep_first(fail_errno("cannot write " + printable(output.path), error,
                          "make room or choose another -o; it says that it is incomplete"));
  else
    keep_first(written);
}

// Nothing that was shown can be taken back. A text is short, so that it is made before; others are
// not given up.
void Outputs::write_shown(Output& output, const Work& work, const analysis::Report& report) {
  int error = 0;
  Status written;
  if (output.format == "text") {
    std::ostringstream text;
    written = output.write(report, output.options, text);
    work.stage.clear();
    error = write_all(output.fd, text.str());
  } else {
    work.stage.clear();
    const HoldInterrupts hold;
    ReportFile shown(Fd(dup(output.fd)), {}, ReportFile::Kind::Stream);
    std::ostream out(&shown);
    written = output.write(report, output.options, out);
    error = shown.finish();
  }
  // Where nobody takes it, the report on standard error is one that nobody wanted.
  if (output.fd == STDERR_FILENO) return;
  if (error == EPIPE) reader_left_ = true;
  if (error != 0)
    keep_first(fail_errno("cannot write to standard output", error, "make room or use -o FILE"));
  else
    keep_first(written);
}

}  // namespace cowtrace::pipeline
