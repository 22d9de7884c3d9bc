// SPDX-License-Identifier: Apache-2.0
// Brendan Gregg's folded stacks, for flamegraph.pl, inferno and others: one line a stack, outermost
// first, with the bytes that were copied.
//
//   server;main;serve;fill_table;memset 49152
//   server;(lost events) 8192
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>

#include "analysis/break_stacks.h"
#include "report/stack_names.h"
#include "report/writers.h"

namespace cowtrace::report {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// What is after the last space of a line is its weight; flamegraph.pl takes a second number before
// it for one, too.
bool ends_like_a_weight(std::string_view name) {
  const std::size_t space = name.rfind(' ');
  if (space == std::string_view::npos || space + 1 == name.size()) return false;
  return std::all_of(name.begin() + static_cast<std::ptrdiff_t>(space) + 1, name.end(),
                     [](char c) { return is_digit(c) || c == '.'; });
}

// ';' separates stack frames: stackcollapse-perf.pl, too, puts ':' in its place.
std::string folded(std::string name) {
  std::replace(name.begin(), name.end(), ';', ':');
  if (ends_like_a_weight(name)) name[name.rfind(' ')] = '_';
  return name;
}

std::string folded(const NamedFrame& frame) {
  if (!frame.python || frame.file.empty()) return folded(frame.name);
  return folded(fmt::format("{} ({}:{})", frame.name, frame.file, frame.line));
}

}  // namespace

Status write_folded(const analysis::Report& report, const ReportOptions& options,
                    std::ostream& out) {
  const analysis::Summary& summary = report.summary;
  StackNames names(summary);
  std::map<std::string, std::uint64_t> weights;
  for (const analysis::BreakStack& stack : analysis::break_stacks(report, options.filter, false)) {
    std::string line = folded(command_of(summary.processes[stack.process.value]));
    const auto& frames = names.of(stack);
    for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame)
      line += ';' + folded(*frame);
    weights[std::move(line)] += stack.count.bytes;
  }
  for (const auto& [line, bytes] : weights) out << line << ' ' << bytes << '\n';
  out << std::flush;
  if (!out) return fail("the folded stacks are incomplete", "their file did not take all of them");
  return {};
}

}  // namespace cowtrace::report
