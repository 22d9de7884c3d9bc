// SPDX-License-Identifier: Apache-2.0
// Which code broke the pages.
#include <fmt/format.h>

#include <algorithm>

#include "analysis/sites.h"
#include "base/units.h"
#include "report/text_sections.h"

namespace cowtrace::report {

namespace {

constexpr std::size_t kCallers = 3;   // stack frames shown below the one that wrote
constexpr std::size_t kNumbers = 24;  // columns of "  breaks  copied  "

std::string place(const model::StackFrame& frame) {
  if (!frame.file.empty())
    return frame.line != 0 ? fmt::format("{}:{}", printable(frame.file), frame.line)
                           : printable(frame.file);
  if (frame.why_unnamed.empty()) return printable(frame.module);
  return printable(frame.why_unnamed);
}

// "write_config (app.py:15)"; of a long path the end is kept.
std::string described_python(const model::StackFrame& frame, std::size_t room) {
  const std::string function = printable(frame.function);
  const std::string where = place(frame);
  if (where.empty()) return fitted(function, room);
  constexpr std::size_t kAround = 3;  // " (" and ")"
  const std::size_t for_function =
      std::min(columns(function), std::max(room / 2, room - std::min(room, columns(where) + kAround)));
  const std::size_t left = room - std::min(room, for_function + kAround);
  return fmt::format("{} ({})", fitted(function, for_function), fitted(where, left, true));
}

// The function keeps its start and the file its end.
std::string described(const model::StackFrame& frame, std::size_t room) {
  if (frame.python) return described_python(frame, room);
  const std::string where = place(frame);
  const std::string function = printable(frame.function);
  const std::size_t both = columns(function) + 2 + columns(where);
  if (where.empty()) return fitted(function, room);
  if (both <= room) return function + "  " + where;
  const std::size_t half = room / 2 - 1;
  const std::size_t for_function =
      std::min(columns(function), std::max(half, room - 2 - std::min(room - 2, columns(where))));
  return fitted(function, for_function) + "  " + fitted(where, room - 2 - for_function, true);
}

void print_site(const TextContext& context, const analysis::SiteSummary& site,
                const std::vector<model::StackFrame>& stack) {
  const std::size_t room = context.options.width - kNumbers;
  const std::string numbers =
      fmt::format("  {:>9}  {:>9}  ", human_count(site.breaks), human_bytes(site.copied_bytes));
  if (stack.empty()) {
    context.out << numbers << "(no stack)\n";
    return;
  }
  context.out << numbers << described(stack[0], room) << '\n';
  const std::size_t end = std::min(stack.size(), 1 + kCallers);
  for (std::size_t depth = 1; depth < end; ++depth)
    context.out << std::string(kNumbers, ' ') << "<- " << described(stack[depth], room - 3) << '\n';
  if (stack.size() > end)
    context.out << fmt::format("{:{}}<- and {} more\n", "", kNumbers, stack.size() - end);
  const std::string causes = main_causes(site.by_cause);
  if (!causes.empty())
    context.out << fmt::format("{:{}}cause: {}\n", "", kNumbers, fitted(causes, room - 7));
}

}  // namespace

void print_sites(const TextContext& context) {
  const auto& sites = context.summary.sites;
  if (sites.empty()) return;
  context.title("Sites that broke pages");
  context.out << painted("     BREAKS     COPIED  WRITTEN BY", Paint::Faint, context.options.color)
              << '\n';
  analysis::SiteFrames frames(context.session, context.resolver);
  const std::size_t shown = std::min(sites.size(), context.options.rows);
  std::uint64_t breaks = 0;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < sites.size(); ++i) {
    if (i < shown) {
      print_site(context, sites[i], frames.of(sites[i]));
      continue;
    }
    breaks += sites[i].breaks;
    bytes += sites[i].copied_bytes;
  }
  context.and_more(sites.size() - shown, breaks, bytes);
}

}  // namespace cowtrace::report
