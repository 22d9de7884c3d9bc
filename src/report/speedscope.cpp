// SPDX-License-Identifier: Apache-2.0
// A profile for https://www.speedscope.app, in its own file format: the same stacks weighed by
// copied bytes and by breaks, each below the process that it was in.
#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/break_stacks.h"
#include "base/units.h"
#include "report/json_rows.h"
#include "report/stack_names.h"
#include "report/writers.h"

namespace cowtrace::report {

namespace {

// Numbers stack frames in the order in which they are met.
class FrameTable {
 public:
  std::uint32_t number(const NamedFrame& frame) {
    const auto [at, is_new] = numbers_.emplace(frame, static_cast<std::uint32_t>(frames_.size()));
    if (is_new) frames_.push_back(&at->first);
    return at->second;
  }
  [[nodiscard]] const std::vector<const NamedFrame*>& frames() const { return frames_; }

 private:
  std::map<NamedFrame, std::uint32_t> numbers_;
  std::vector<const NamedFrame*> frames_;
};

struct Sample {
  std::vector<std::uint32_t> stack;  // outermost first
  analysis::BreakCount count;
};

Json frame_json(const NamedFrame& frame) {
  Json json = {{"name", frame.name}};
  if (!frame.file.empty()) {
    json["file"] = frame.file;
    if (frame.line != 0) json["line"] = frame.line;
  } else if (!frame.module.empty()) {
    json["file"] = frame.module;
  }
  return json;
}

// One element a line; `write` prints element i.
template <typename Write>
void write_array(std::ostream& out, std::string_view key, std::size_t count, Write&& write) {
  out << '"' << key << "\": [";
  for (std::size_t i = 0; i < count; ++i) {
    out << (i == 0 ? "\n  " : ",\n  ");
    write(i);
  }
  out << (count == 0 ? "]" : "\n]");
}

void write_profile(std::ostream& out, const std::vector<Sample>& samples, std::string_view name,
                   std::string_view unit, std::uint64_t analysis::BreakCount::*weight) {
  std::uint64_t sum = 0;
  for (const Sample& sample : samples) sum += sample.count.*weight;
  out << fmt::format(
             R"({{"type": "sampled", "name": "{}", "unit": "{}", "startValue": 0, "endValue": {},)",
             name, unit, sum)
      << '\n';
  write_array(out, "samples", samples.size(),
              [&](std::size_t i) { out << Json(samples[i].stack).dump(); });
  out << ",\n";
  write_array(out, "weights", samples.size(),
              [&](std::size_t i) { out << samples[i].count.*weight; });
  out << '}';
}

}  // namespace

Status write_speedscope(const analysis::Report& report, const ReportOptions& options,
                        std::ostream& out) {
  const analysis::Summary& summary = report.summary;
  StackNames names(summary);
  FrameTable table;
  std::vector<Sample> samples;
  for (const analysis::BreakStack& stack :
       names.alike(analysis::break_stacks(report, options.filter, false))) {
    const analysis::ProcessSummary& process = summary.processes[stack.process.value];
    Sample& sample = samples.emplace_back();
    sample.count = stack.count;
    NamedFrame root;
    root.name = fmt::format("{} ({})", command_of(process), process.pid);
    sample.stack.push_back(table.number(root));
    const auto& frames = names.of(stack);
    for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame)
      sample.stack.push_back(table.number(*frame));
  }
  std::string command;
  for (const std::string& word : summary.capture.command)
    command += (command.empty() ? "" : " ") + printable(word);

  out << "{\n\"$schema\": \"https://www.speedscope.app/file-format-schema.json\",\n"
      << "\"exporter\": " << Json("cowtrace " + options.version).dump() << ",\n"
      << "\"name\": " << Json(command).dump() << ",\n\"activeProfileIndex\": 0,\n\"shared\": {";
  write_array(out, "frames", table.frames().size(),
              [&](std::size_t i) { out << frame_json(*table.frames()[i]).dump(); });
  out << "},\n\"profiles\": [\n";
  write_profile(out, samples, "copied bytes", "bytes", &analysis::BreakCount::bytes);
  out << ",\n";
  write_profile(out, samples, "breaks", "none", &analysis::BreakCount::breaks);
  out << "\n]\n}\n" << std::flush;
  if (!out) return fail("the speedscope profile is incomplete", "its file did not take all of it");
  return {};
}

}  // namespace cowtrace::report
