// SPDX-License-Identifier: Apache-2.0
#include "top/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <string_view>
#include <utility>

#include "base/units.h"
#include "report/text_layout.h"
#include "top/rows.h"

namespace cowtrace::top {
namespace {

using analysis::LiveSnapshot;
using report::TextTable;
using Align = TextTable::Align;

constexpr std::size_t kHead = 4;  // title, rates, tabs, filter or what is not named
constexpr std::size_t kFoot = 1;  // keys
constexpr std::array<std::string_view, kTabs> kTabNames = {"overview", "processes", "objects",
                                                           "types",    "sites",     "causes"};
constexpr std::array<std::string_view, 4> kOrderNames = {"copied", "breaks", "rate", "name"};
constexpr std::string_view kKeys =
    "tab table  enter in  bksp out  s sort  p pause  h help  q leave";

constexpr std::array<std::string_view, 19> kHelp = {
    "tab, right / left     the next table, the one before; 1 to 6: one of them",
    "up, down, j, k        another row; also page up, page down, home, end",
    "enter                 into the row: only what has to do with it, in all tables",
    "backspace, escape     out of it again",
    "s                     sort by copied bytes, breaks, breaks a second, name",
    "p, space              hold the screen still; counting goes on",
    "q                     leave: report, and let the command go on untraced",
    "ctrl-c                goes to the command too; once more: leave at once",
    "",
    "A break is a write that gave a process its own copy of a shared page.",
    "INHERITED   private memory that was there at its fork (--snapshot exact)",
    "SHARED      what is left of it: at most that while the process lives (~)",
    "COPIED      bytes of the copies; BRK/S: breaks in the last second",
    "Objects, types and causes are of breaks whose object has been looked up;",
    "how many still wait for that is said above the table. The names are of the",
    "last fork. The report at the end is complete.",
    "What the command prints is kept, the last 1 MiB of it, and printed when",
    "this screen is gone.",
    "Any key: back.",
};

std::string rate_of(const analysis::LiveRow& row, std::uint64_t window_ns) {
  if (window_ns == 0) return "-";
  return human_count(static_cast<std::uint64_t>(
      static_cast<double>(row.recent.breaks) * 1e9 / static_cast<double>(window_ns) + 0.5));
}

std::string byte_rate_of(const analysis::LiveRow& row, std::uint64_t window_ns) {
  if (window_ns == 0) return "-";
  return human_bytes(static_cast<std::uint64_t>(static_cast<double>(row.recent.bytes) * 1e9 /
                                                static_cast<double>(window_ns)));
}

// `left` and `right` at the two ends of a line; of the left one less if there is no room.
std::string ends(const std::string& left, const std::string& right, std::size_t width) {
  const std::size_t taken = report::columns(right);
  if (taken == 0 || taken + 2 >= width) return report::fitted(left, width, report::Cut::End);
  const std::string fitting = report::fitted(left, width - taken - 2, report::Cut::End);
  return fitting + std::string(width - taken - report::columns(fitting), ' ') + right;
}

class Page {
 public:
  Page(const LiveSnapshot& snapshot, const State& state, Size size)
      : snapshot_(snapshot), state_(state), size_(size) {}

  void add(std::string text, Style style = Style::Plain) {
    lines_.push_back({report::fitted(text, size_.columns, report::Cut::End), style});
  }
  std::vector<Line> take(Line last) {
    lines_.resize(size_.rows > kFoot ? size_.rows - kFoot : 0);
    last.text = report::fitted(last.text, size_.columns, report::Cut::End);
    lines_.push_back(std::move(last));
    lines_.resize(size_.rows);
    return std::move(lines_);
  }

  void head(const std::string& command);
  void help();
  void overview();
  void table();

 private:
  void tabs();
  void remarks();
  // The rows of one table from `first` on, at most `room` lines with the titles.
  void rows(Tab tab, std::size_t first, std::size_t room, bool select);
  TextTable table_of(Tab tab, std::size_t first, std::size_t count);
  void section(Tab tab, std::string_view title, std::size_t room);
  void stack();
  [[nodiscard]] std::size_t room() const {
    return size_.rows - std::min(size_.rows, lines_.size() + kFoot);
  }

  const LiveSnapshot& snapshot_;
  const State& state_;
  Size size_;
  std::vector<Line> lines_;
};

void Page::head(const std::string& command) {
  std::string right = human_duration(snapshot_.elapsed_ns);
  if (state_.paused) right = "PAUSED  " + right;
  add(ends("cowtrace top: " + printable(command), right, size_.columns), Style::Bold);
  add(fmt::format("{} breaks/s  {}/s copied  total {} breaks, {}  {}",
                  rate_of(snapshot_.total, snapshot_.window_ns),
                  byte_rate_of(snapshot_.total, snapshot_.window_ns),
                  human_count(snapshot_.total.count.breaks),
                  human_bytes(snapshot_.total.count.bytes),
                  report::counted(snapshot_.processes_alive, "process", "processes")));
  tabs();
  remarks();
}

void Page::tabs() {
  std::string text;
  for (std::size_t i = 0; i < kTabs; ++i) {
    const bool here = i == static_cast<std::size_t>(state_.tab);
    text += fmt::format("{}{}{}", here ? "[" : " ", kTabNames[i], here ? "]" : " ");
  }
  add(ends(text, fmt::format("by {}", kOrderNames[static_cast<std::size_t>(state_.order)]),
           size_.columns),
      Style::Faint);
}

void Page::remarks() {
  std::string text;
  for (const State::Step& step : state_.steps)
    text += (text.empty() ? "of " : " > ") + report::fitted(step.label, size_.columns / 2);
  if (!text.empty())
    text +=
        fmt::format(": {}, {}", report::counted(snapshot_.shown.count.breaks, "break", "breaks"),
                    human_bytes(snapshot_.shown.count.bytes));
  if (snapshot_.request.filter != state_.filter) text += " (pending)";
  std::string right;
  if (snapshot_.pending != 0)
    right += fmt::format("  {} not named yet", human_count(snapshot_.pending));
  if (snapshot_.unnamed != 0)
    right += fmt::format("  {} without names", human_count(snapshot_.unnamed));
  if (snapshot_.lost_events != 0)
    right += fmt::format("  {} LOST", human_count(snapshot_.lost_events));
  add(ends(text, right, size_.columns), snapshot_.lost_events != 0 ? Style::Warning : Style::Plain);
}

void Page::help() {
  for (const std::string_view line : kHelp) add(std::string(line));
}

std::string name_and(const analysis::LiveProcess& process) {
  return printable(process.command) + (process.ended ? " (ended)" : "");
}

TextTable Page::table_of(Tab tab, std::size_t first, std::size_t count) {
  const auto numbers = [this](std::vector<std::string> cells, const analysis::LiveRow& row) {
    cells.insert(cells.end(), {human_bytes(row.count.bytes), human_count(row.count.breaks),
                               rate_of(row, snapshot_.window_ns)});
    return cells;
  };
  const auto fill = [&](TextTable table, const auto& rows, auto&& cells) {
    for (std::size_t i = first; i < std::min(rows.size(), first + count); ++i)
      table.add(numbers(cells(rows[i]), rows[i]));
    return table;
  };
  switch (tab) {
    case Tab::Overview:
      break;
    case Tab::Processes:
      return fill(TextTable({{"PID"},
                             {"COMMAND", Align::Left, 1},
                             {"INHERITED"},
                             {"SHARED"},
                             {"COPIED"},
                             {"BREAKS"},
                             {"BRK/S"}}),
                  snapshot_.processes.rows, [](const analysis::LiveProcess& row) {
                    const std::string about = row.ended || !row.shared_bytes ? "" : "~";
                    return std::vector<std::string>{
                        std::to_string(row.pid), name_and(row),
                        report::bytes_or_dash(row.inherited_bytes),
                        about + report::bytes_or_dash(row.shared_bytes)};
                  });
    case Tab::Objects:
      return fill(TextTable({{"OBJECT", Align::Left, 1},
                             {"TYPE", Align::Left, 2},
                             {"CAUSE", Align::Left},
                             {"COPIED"},
                             {"BREAKS"},
                             {"BRK/S"}}),
                  snapshot_.objects.rows, [](const analysis::LiveObject& row) {
                    const std::string type = row.type.empty()
                                                 ? fmt::format("({})", model::name(row.kind))
                                                 : printable(row.type);
                    return std::vector<std::string>{label_of(row), type, main_cause(row)};
                  });
    case Tab::Types:
      return fill(TextTable({{"TYPE", Align::Left, 1},
                             {"OBJECTS"},
                             {"CAUSE", Align::Left},
                             {"COPIED"},
                             {"BREAKS"},
                             {"BRK/S"}}),
                  snapshot_.types.rows, [](const analysis::LiveType& row) {
                    return std::vector<std::string>{label_of(row), human_count(row.objects),
                                                    main_cause(row)};
                  });
    case Tab::Sites:
      return fill(TextTable({{"WRITTEN BY", Align::Left, 1, report::Cut::End},
                             {"CAUSE", Align::Left},
                             {"COPIED"},
                             {"BREAKS"},
                             {"BRK/S"}}),
                  snapshot_.sites.rows, [](const analysis::LiveSite& row) {
                    return std::vector<std::string>{label_of(row), main_cause(row)};
                  });
    case Tab::Causes:
      break;
  }
  return fill(TextTable({{"CAUSE", Align::Left}, {"SHARE"}, {"COPIED"}, {"BREAKS"}, {"BRK/S"}}),
              snapshot_.causes.rows, [this](const analysis::LiveRow& row) {
                std::uint64_t all = 0;
                for (const analysis::LiveRow& one : snapshot_.causes.rows) all += one.count.bytes;
                return std::vector<std::string>{label_of_cause(row.id),
                                                report::percent(row.count.bytes, all)};
              });
}

void Page::rows(Tab tab, std::size_t first, std::size_t room, bool select) {
  if (room < 2) return;
  std::ostringstream out;
  table_of(tab, first, room - 1).print(out, size_.columns, false);
  std::istringstream in(std::move(out).str());
  std::string text;
  for (std::size_t i = 0; std::getline(in, text); ++i) {
    const bool selected = select && i != 0 && first + i - 1 == state_.selected;
    if (selected) text.replace(0, 2, "> ");
    add(text, i == 0 ? Style::Faint : selected ? Style::Selected : Style::Plain);
  }
}

void Page::table() {
  const std::size_t height = room();
  const std::size_t visible = height > 1 ? height - 1 : 0;
  if (rows_of(snapshot_, state_.tab) == 0) {
    add("  nothing yet", Style::Faint);
    return;
  }
  const std::size_t first = state_.selected < visible ? 0 : state_.selected - visible + 1;
  rows(state_.tab, first, height, true);
}

void Page::section(Tab tab, std::string_view title, std::size_t room) {
  if (room < 3 || rows_of(snapshot_, tab) == 0) return;
  add(std::string(title), Style::Bold);
  rows(tab, 0, room - 1, false);
}

// Into a site: all of its stack.
void Page::stack() {
  if (!state_.filter.site || snapshot_.sites.rows.size() != 1) return;
  const auto& frames = snapshot_.sites.rows[0].frames;
  add("Stack", Style::Bold);
  const std::size_t most = std::min(frames.size(), room() / 2);
  for (std::size_t i = 0; i < most; ++i)
    add(fmt::format("  {}{}", i == 0 ? "" : "<- ", label_of(frames[i])));
  if (most < frames.size()) add(fmt::format("  <- and {} more", frames.size() - most));
}

void Page::overview() {
  std::uint64_t all = 0;
  for (const analysis::LiveRow& row : snapshot_.causes.rows) all += row.count.bytes;
  std::string causes;
  for (const analysis::LiveRow& row : snapshot_.causes.rows)
    causes += fmt::format("{}{} {}", causes.empty() ? "Causes: " : ", ", label_of_cause(row.id),
                          report::percent(row.count.bytes, all));
  add(causes.empty() ? "Causes: none yet" : causes);
  stack();
  std::vector<std::pair<Tab, std::string_view>> sections;
  if (!state_.filter.process) sections.emplace_back(Tab::Processes, "Processes");
  if (!state_.filter.object) sections.emplace_back(Tab::Objects, "Objects");
  if (!state_.filter.site) sections.emplace_back(Tab::Sites, "Sites");
  for (std::size_t i = 0; i < sections.size(); ++i)
    // What one does not need is the next one's: two lines of titles, and its rows.
    section(sections[i].first, sections[i].second,
            std::max<std::size_t>(3, room() / (sections.size() - i)));
}

}  // namespace

std::size_t table_rows(Size size) {
  return size.rows > kHead + 1 + kFoot ? size.rows - kHead - 1 - kFoot : 1;
}

std::vector<Line> layout(const LiveSnapshot& snapshot, const State& state,
                         const std::string& command, const std::string& said, Size size) {
  Page page(snapshot, state, size);
  if (state.help) {
    page.add("cowtrace top: keys and columns", Style::Bold);
    page.help();
  } else {
    page.head(command);
    if (state.tab == Tab::Overview)
      page.overview();
    else
      page.table();
  }
  if (!said.empty()) return page.take({printable(said), Style::Warning});
  return page.take({std::string(kKeys), Style::Faint});
}

}  // namespace cowtrace::top
