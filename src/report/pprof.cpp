// SPDX-License-Identifier: Apache-2.0
// A profile for pprof and all that read its format (proto/profile.proto): breaks and copied bytes
// by stack, with labels pid, process, cause, mechanism and object.
#include <fmt/format.h>
#include <profile.pb.h>

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "analysis/break_stacks.h"
#include "base/units.h"
#include "report/gzip.h"
#include "report/stack_names.h"
#include "report/writers.h"

namespace cowtrace::report {

namespace {

namespace profiles = perftools::profiles;

// Writes the profile piece by piece: protobuf messages that follow each other are one message with
// the lists of both, so what has many rows need never be in memory as a whole.
class ProfileWriter {
 public:
  explicit ProfileWriter(std::ostream& out) : gzip_(out) { string(""); }

  // The message to add the next row to.
  profiles::Profile& piece() {
    constexpr int kRows = 4096;
    if (piece_.sample_size() >= kRows) flush();
    return piece_;
  }

  std::int64_t string(const std::string& text) {
    const auto [at, is_new] = strings_.emplace(text, static_cast<std::int64_t>(strings_.size()));
    if (is_new) piece_.add_string_table(text);
    return at->second;
  }

  // The locations of a stack: one a stack frame, with what is inlined into it.
  std::vector<std::uint64_t> locations(const std::vector<NamedFrame>& frames) {
    std::vector<std::uint64_t> ids;
    for (std::size_t i = 0; i < frames.size(); ++i) {
      std::vector<Line> lines = {line(frames[i])};
      while (frames[i].inlined && i + 1 < frames.size()) lines.push_back(line(frames[++i]));
      ids.push_back(location(std::move(lines), frames[i].module));
    }
    return ids;
  }

  std::uint64_t mapping(const std::string& file) {
    if (file.empty()) return 0;
    const auto [at, is_new] = mappings_.emplace(file, mappings_.size() + 1);
    if (!is_new) return at->second;
    const std::int64_t name = string(file);
    profiles::Mapping& made = *piece_.add_mapping();
    made.set_id(at->second);
    made.set_filename(name);
    // Nothing is left to look up, least of all on another machine.
    made.set_has_functions(true);
    made.set_has_filenames(true);
    made.set_has_line_numbers(true);
    made.set_has_inline_frames(true);
    return at->second;
  }

  [[nodiscard]] bool finish() {
    flush();
    return gzip_.finish();
  }

 private:
  using Line = std::pair<std::uint64_t, std::int64_t>;  // function and line

  Line line(const NamedFrame& frame) { return {function(frame.name, frame.file), frame.line}; }

  std::uint64_t function(const std::string& name, const std::string& file) {
    const auto [at, is_new] = functions_.emplace(std::pair(name, file), functions_.size() + 1);
    if (!is_new) return at->second;
    const std::int64_t name_string = string(name);
    const std::int64_t file_string = string(file);
    profiles::Function& made = *piece_.add_function();
    made.set_id(at->second);
    made.set_name(name_string);
    made.set_system_name(name_string);
    made.set_filename(file_string);
    return at->second;
  }

  std::uint64_t location(std::vector<Line> lines, const std::string& module) {
    const std::uint64_t in = mapping(module);
    const auto [at, is_new] =
        locations_.emplace(std::pair(in, std::move(lines)), locations_.size() + 1);
    if (!is_new) return at->second;
    profiles::Location& made = *piece_.add_location();
    made.set_id(at->second);
    made.set_mapping_id(in);
    for (const auto& [function, number] : at->first.second) {
      profiles::Line& added = *made.add_line();
      added.set_function_id(function);
      added.set_line(number);
    }
    return at->second;
  }

  void flush() {
    gzip_.write(piece_.SerializeAsString());
    piece_.Clear();
  }

  GzipWriter gzip_;
  profiles::Profile piece_;
  std::unordered_map<std::string, std::int64_t> strings_;
  std::map<std::string, std::uint64_t> mappings_;
  std::map<std::pair<std::string, std::string>, std::uint64_t> functions_;
  std::map<std::pair<std::uint64_t, std::vector<Line>>, std::uint64_t> locations_;
};

void add_value_type(ProfileWriter& writer, const std::string& type, const std::string& unit) {
  const std::int64_t type_string = writer.string(type);
  const std::int64_t unit_string = writer.string(unit);
  profiles::ValueType& made = *writer.piece().add_sample_type();
  made.set_type(type_string);
  made.set_unit(unit_string);
}

void add_comment(ProfileWriter& writer, const std::string& text) {
  const std::int64_t comment = writer.string(text);
  writer.piece().add_comment(comment);
}

void add_capture(ProfileWriter& writer, const model::CaptureInfo& capture,
                 const ReportOptions& options) {
  std::string command;
  for (const std::string& word : capture.command)
    command += (command.empty() ? "" : " ") + printable(word);
  // By convention counts come first, and the first mapping is the program.
  add_value_type(writer, "breaks", "count");
  add_value_type(writer, "copied_bytes", "bytes");
  const std::int64_t shown_first = writer.string("copied_bytes");
  writer.piece().set_default_sample_type(shown_first);
  writer.piece().set_time_nanos(capture.started_at_unix_ns);
  writer.piece().set_duration_nanos(static_cast<std::int64_t>(capture.duration_ns));
  if (!capture.command.empty()) writer.mapping(printable(capture.command.front()));
  add_comment(writer, "cowtrace " + options.version + ": " + command);
  if (capture.lost_events != 0)
    add_comment(writer, fmt::format("{} events were lost: (lost events)", capture.lost_events));
  for (const std::string& text : capture.blind_spots)
    add_comment(writer, "not seen: " + printable(text));
  for (const std::string& text : capture.notes) add_comment(writer, "note: " + printable(text));
  for (const std::string& condition : options.filter.conditions())
    add_comment(writer, "filter: " + printable(condition));
}

void add_label(ProfileWriter& writer, profiles::Sample& sample, const std::string& key,
               const std::string& value) {
  profiles::Label& made = *sample.add_label();
  made.set_key(writer.string(key));
  made.set_str(writer.string(value));
}

}  // namespace

Status write_pprof(const analysis::Report& report, const ReportOptions& options,
                   std::ostream& out) {
  const analysis::Summary& summary = report.summary;
  StackNames names(summary);
  ProfileWriter writer(out);
  add_capture(writer, summary.capture, options);
  for (const analysis::BreakStack& stack :
       names.alike(analysis::break_stacks(report, options.filter, true))) {
    const std::vector<std::uint64_t> locations = writer.locations(names.of(stack));
    profiles::Sample& sample = *writer.piece().add_sample();
    for (const std::uint64_t location : locations) sample.add_location_id(location);
    sample.add_value(static_cast<std::int64_t>(stack.count.breaks));
    sample.add_value(static_cast<std::int64_t>(stack.count.bytes));
    const analysis::ProcessSummary& process = summary.processes[stack.process.value];
    add_label(writer, sample, "pid", std::to_string(process.pid));
    add_label(writer, sample, "process", command_of(process));
    if (stack.known == analysis::BreakStack::Known::Lost) continue;
    add_label(writer, sample, "cause", std::string(model::name(stack.cause)));
    add_label(writer, sample, "mechanism", std::string(model::info(stack.mechanism).name));
    if (stack.object) {
      const std::string name = printable(summary.objects[stack.object->value].name);
      if (!name.empty()) add_label(writer, sample, "object", name);
    }
  }
  const bool complete = writer.finish();
  out << std::flush;
  if (!out || !complete)
    return fail("the pprof profile is incomplete", "its file did not take all of it");
  return {};
}

}  // namespace cowtrace::report
