// SPDX-License-Identifier: Apache-2.0
// What became of the watched objects: one table an expression, one line a process.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/units.h"
#include "report/text_sections.h"

namespace cowtrace::report {

namespace {

using analysis::WatchBreak;
using analysis::WatchSlot;
using analysis::WatchSummary;

std::string function_of(const WatchBreak& event) {
  const auto& stack = event.stack;
  const auto python = std::find_if(stack.begin(), stack.end(),
                                   [](const model::StackFrame& frame) { return frame.python; });
  if (python == stack.end()) return stack.empty() ? "" : printable(stack.front().function);
  const std::string file = python->file.substr(python->file.rfind('/') + 1);
  return fmt::format("{} ({}:{})", printable(python->function), printable(file), python->line);
}

// "refcount, f (app.py:8)", or of a field that says more than the cause, "keys entry 'n', f
// (app.py:8)".
std::string described(const WatchBreak& event) {
  const bool plain = event.field.empty() || event.field == model::name(event.cause);
  const std::string wrote = plain ? std::string(model::name(event.cause)) : printable(event.field);
  const std::string function = function_of(event);
  if (function.empty()) return wrote;
  return event.cause == model::Cause::Unknown && plain ? function
                                                       : fmt::format("{}, {}", wrote, function);
}

// The write that made the state what it is; where there is none, the reason.
std::string why(const WatchSummary& watch) {
  if (watch.break_of_page) return described(*watch.break_of_page);
  if (watch.in_place) return "in place: " + described(*watch.in_place);
  if (watch.state == WatchSummary::State::Shared || watch.state == WatchSummary::State::Replaced) {
    if (watch.slot && watch.slot->break_of_page) return described(*watch.slot->break_of_page);
    if (watch.slot && watch.slot->in_place) return "in place: " + described(*watch.slot->in_place);
  }
  return printable(watch.reason);
}

// "copied 2/65": of a larger object, the pages of it that are.
std::string state_of(const WatchSummary& watch) {
  if (watch.state != WatchSummary::State::Copied || watch.pages <= 1)
    return std::string(analysis::name(watch.state));
  return fmt::format("copied {}/{}", human_count(watch.copied_pages), human_count(watch.pages));
}

std::vector<std::string> cells(const WatchSummary& watch) {
  return {std::to_string(watch.pid), watch.address != 0 ? hex(watch.address) : "-", state_of(watch),
          watch.slot ? std::string(analysis::name(watch.slot->state)) : "-", why(watch)};
}

}  // namespace

void print_watches(const TextContext& context) {
  const auto& watches = context.summary.watches;
  const std::size_t most = 2 * context.options.rows;
  for (std::size_t first = 0; first < watches.size();) {
    const std::string& expression = watches[first].expression;
    std::size_t end = first;
    while (end < watches.size() && watches[end].expression == expression) ++end;
    TextTable table({{"PID"},
                     {"OBJECT"},
                     {"STATE", Align::Left},
                     {"ITS SLOT", Align::Left},
                     {"FIRST WRITTEN BY", Align::Left, 1}});
    for (std::size_t i = first; i < std::min(end, first + most); ++i) table.add(cells(watches[i]));
    context.title(fmt::format("Watched: {}", printable(expression)));
    context.print(table);
    if (end - first > most)
      context.out << fmt::format("  and {} more processes\n", human_count(end - first - most));
    for (std::size_t i = first; i < end; ++i) {
      if (!watches[i].slot) continue;
      const std::string text = fmt::format("type {}; its slot: {}", printable(watches[i].type),
                                           printable(watches[i].slot->place));
      context.out << "  "
                  << painted(fitted(text, context.options.width - 2, Cut::End), Paint::Faint,
                             context.options.color)
                  << '\n';
      break;
    }
    if (std::any_of(watches.begin() + static_cast<std::ptrdiff_t>(first),
                    watches.begin() + static_cast<std::ptrdiff_t>(end),
                    [](const WatchSummary& watch) { return watch.in_place.has_value(); }))
      context.out << painted("  in place: written, not copied: nobody else had the frame any more",
                             Paint::Faint, context.options.color)
                  << '\n';
    first = end;
  }
}

}  // namespace cowtrace::report
