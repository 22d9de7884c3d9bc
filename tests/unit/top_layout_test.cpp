// SPDX-License-Identifier: Apache-2.0
#include "top/layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "report/text_layout.h"
#include "top/plain.h"

namespace cowtrace::top {
namespace {

using analysis::LiveSnapshot;
using model::Cause;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr Size kSmall{80, 24}, kLarge{120, 40};

void set(analysis::LiveRow& row, std::uint32_t id, std::uint64_t breaks, std::uint64_t recent,
         Cause cause = Cause::Refcount) {
  row.id = id;
  row.count = {breaks, breaks * 4096};
  row.recent = {recent, recent * 4096};
  row.main_cause = cause;
}

model::StackFrame frame(std::string function, std::string file, std::uint32_t line) {
  model::StackFrame made;
  made.function = std::move(function);
  made.file = std::move(file);
  made.line = line;
  return made;
}

LiveSnapshot sample(std::size_t objects = 3) {
  LiveSnapshot snapshot;
  snapshot.elapsed_ns = 12'300'000'000;
  snapshot.window_ns = 1'000'000'000;
  set(snapshot.total, 0, 12'034, 1'003);
  snapshot.shown = snapshot.total;
  snapshot.processes_alive = 2;
  auto& parent = snapshot.processes.rows.emplace_back();
  set(parent, 0, 34, 3);
  parent.pid = 4240;
  parent.command = "server";
  auto& child = snapshot.processes.rows.emplace_back();
  set(child, 1, 12'000, 1'000);
  child.pid = 4242;
  child.command = "worker";
  child.inherited_bytes = 64 << 20;
  child.shared_bytes = 17 << 20;
  for (std::uint32_t i = 0; i < objects; ++i) {
    auto& object = snapshot.objects.rows.emplace_back();
    set(object, i + 1, 100 - i, 10);
    object.name = "app.TABLE_" + std::to_string(i);
    object.type = "dict";
    object.kind = model::ObjectKind::Python;
  }
  auto& type = snapshot.types.rows.emplace_back();
  set(type, 1, 300, 30);
  type.name = "dict";
  type.objects = objects;
  auto& site = snapshot.sites.rows.emplace_back();
  set(site, 5, 11'000, 900);
  site.pending = false;
  site.frames = {frame("handle", "/srv/app/web.py", 12), frame("main", "/srv/app/web.py", 40)};
  auto& pending = snapshot.sites.rows.emplace_back();
  set(pending, 6, 1'034, 103);
  set(snapshot.causes.rows.emplace_back(), 1, 9'000, 800);
  set(snapshot.causes.rows.emplace_back(), 4, 3'000, 200, Cause::Value);
  return snapshot;
}

std::vector<std::string> texts(const LiveSnapshot& snapshot, const State& state, Size size,
                               const std::string& said = {}) {
  std::vector<std::string> lines;
  for (const Line& line : layout(snapshot, state, "python3 server.py", said, size))
    lines.push_back(line.text);
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

TEST(TopLayout, FillsTheScreenAndNoMore) {
  const LiveSnapshot snapshot = sample(200);
  for (const Size size : {kSmall, kLarge, Size{40, 10}, Size{20, 3}, Size{1, 1}, Size{300, 100}})
    for (std::size_t tab = 0; tab < kTabs; ++tab) {
      State state;
      state.tab = static_cast<Tab>(tab);
      for (const bool help : {false, true}) {
        state.help = help;
        const auto lines = texts(snapshot, state, size);
        EXPECT_EQ(lines.size(), size.rows);
        for (const std::string& line : lines)
          EXPECT_LE(report::columns(line), size.columns) << line;
      }
    }
}

TEST(TopLayout, OverviewAt80x24) {
  const auto lines = texts(sample(), {}, kSmall);
  EXPECT_EQ(lines[0],
            "cowtrace top: python3 server.py                                          12.30 s");
  EXPECT_EQ(lines[1],
            "1,003 breaks/s  3.9 MiB/s copied  total 12,034 breaks, 47.0 MiB  2 processes");
  EXPECT_EQ(lines[2],
            "[overview] processes  objects  types  sites  causes                    by copied");
  EXPECT_EQ(lines[3], "");
  EXPECT_EQ(lines[4], "Causes: refcount 75%, value 25%");
  EXPECT_EQ(lines[5], "Processes");
  EXPECT_EQ(lines[6], "   PID  COMMAND  INHERITED     SHARED     COPIED  BREAKS  BRK/S");
  EXPECT_EQ(lines[7], "  4240  server           -          -  136.0 KiB      34      3");
  EXPECT_EQ(lines[8], "  4242  worker    64.0 MiB  ~17.0 MiB   46.9 MiB  12,000  1,000");
  EXPECT_EQ(lines[9], "Objects");
  EXPECT_EQ(lines[11], "  app.TABLE_0  dict  refcount  400.0 KiB     100     10");
  EXPECT_EQ(lines[14], "Sites");
  EXPECT_EQ(lines[16],
            "  handle (web.py:12) <- main (web.py:40)  refcount  43.0 MiB  11,000    900");
  EXPECT_EQ(lines[17],
            "  (name pending)                          refcount   4.0 MiB   1,034    103");
  EXPECT_THAT(lines[23], HasSubstr("q leave"));
}

TEST(TopLayout, OverviewGivesEveryTableRoom) {
  const LiveSnapshot snapshot = sample(200);
  for (const Size size : {kSmall, kLarge}) {
    const std::string text = joined(texts(snapshot, {}, size));
    for (const char* part :
         {"Processes\n", "Objects\n", "Sites\n", "worker", "app.TABLE_0", "handle (web.py:12)"})
      EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(joined(texts(snapshot, {}, kSmall)), Not(HasSubstr("app.TABLE_9 ")));
  EXPECT_THAT(joined(texts(snapshot, {}, kLarge)), HasSubstr("app.TABLE_9 "));
}

TEST(TopLayout, TablesScrollToTheSelectedRow) {
  const LiveSnapshot snapshot = sample(200);
  State state;
  state.tab = Tab::Objects;
  for (const Size size : {kSmall, kLarge})
    for (const std::size_t selected : {0, 10, 57, 199}) {
      state.selected = selected;
      const auto lines = layout(snapshot, state, "x", {}, size);
      std::size_t marked = 0;
      for (const Line& line : lines)
        if (line.style == Style::Selected) {
          ++marked;
          EXPECT_THAT(line.text, StartsWith("> app.TABLE_" + std::to_string(selected) + " "));
        }
      EXPECT_EQ(marked, 1u) << selected;
    }
}

TEST(TopLayout, SaysWhatHasNoNameAndWhatIsLost) {
  LiveSnapshot snapshot = sample();
  snapshot.pending = 1'234;
  EXPECT_THAT(texts(snapshot, {}, kSmall)[3], HasSubstr("1,234 not named yet"));
  snapshot.unnamed = 99;
  snapshot.lost_events = 7;
  const Line line = layout(snapshot, {}, "x", {}, kSmall)[3];
  EXPECT_THAT(line.text, HasSubstr("99 without names"));
  EXPECT_THAT(line.text, HasSubstr("7 LOST"));
  EXPECT_EQ(line.style, Style::Warning);
}

TEST(TopLayout, ShowsWhereOneIsAndTheStackOfASite) {
  LiveSnapshot snapshot = sample();
  snapshot.sites.rows.pop_back();
  State state;
  state.filter.site = snapshot.request.filter.site = 5;
  state.steps.push_back({{}, Tab::Sites, 0, "handle (web.py:12)"});
  const auto lines = texts(snapshot, state, kSmall);
  EXPECT_THAT(lines[3], StartsWith("of handle (web.py:12): 12,034 breaks, 47.0 MiB"));
  EXPECT_EQ(lines[5], "Stack");
  EXPECT_EQ(lines[6], "  handle (web.py:12)");
  EXPECT_EQ(lines[7], "  <- main (web.py:40)");
}

TEST(TopLayout, PausedAndSaid) {
  State state;
  state.paused = true;
  const auto lines = texts(sample(), state, kSmall, "waiting for sh to end");
  EXPECT_THAT(lines[0], HasSubstr("PAUSED"));
  EXPECT_EQ(lines[23], "waiting for sh to end");
}

// Everything that comes from the traced program.
TEST(TopLayout, NothingUntrustedReachesTheTerminal) {
  const std::string evil = "a\x1b[31m\x07\n\r\xff\xe2\x80\xae\xc2\x9b";
  LiveSnapshot snapshot = sample();
  for (auto& row : snapshot.processes.rows) row.command = evil;
  for (auto& row : snapshot.objects.rows) row.name = row.type = evil;
  for (auto& row : snapshot.types.rows) row.name = evil;
  for (auto& site : snapshot.sites.rows) {
    site.pending = false;
    site.frames = {frame(evil, evil, 1), frame(evil, "", 0)};
    site.frames[1].module = evil;
  }
  for (std::size_t tab = 0; tab < kTabs; ++tab) {
    State state;
    state.tab = static_cast<Tab>(tab);
    press(state, Key::Enter, snapshot, 10);
    for (const Line& line : layout(snapshot, state, evil, evil, kLarge)) {
      for (const char byte : line.text)
        EXPECT_GE(static_cast<unsigned char>(byte), 0x20) << line.text;
      EXPECT_THAT(line.text, Not(HasSubstr("\xff")));
      EXPECT_THAT(line.text, Not(HasSubstr("\xe2\x80\xae")));
      EXPECT_THAT(line.text, Not(HasSubstr("\xc2\x9b")));
    }
  }
  const std::string plain = plain_line(snapshot);
  EXPECT_THAT(plain, Not(HasSubstr("\x1b")));
  EXPECT_THAT(plain, Not(HasSubstr("\n")));
}

TEST(TopPlain, ALineSaysTotalsAndWhatThereIsMostOf) {
  EXPECT_EQ(plain_line(sample()),
            "cowtrace:  12.30 s  1,003 breaks/s  3.9 MiB/s copied  total 12,034 breaks, 47.0 MiB  "
            "2 processes  refcount  app.TABLE_0  "
            "handle (web.py:12)");
}

TEST(TopState, DrillsDownAndComesBack) {
  const LiveSnapshot snapshot = sample();
  State state;
  press(state, Key::Tab2, snapshot, 18);
  press(state, Key::Down, snapshot, 18);
  press(state, Key::Down, snapshot, 18);  // there are two
  EXPECT_EQ(state.selected, 1u);
  press(state, Key::Enter, snapshot, 18);
  EXPECT_EQ(state.filter.process, 1u);
  EXPECT_EQ(state.tab, Tab::Overview);
  EXPECT_EQ(state.steps.at(0).label, "4242 worker");

  LiveSnapshot of_process = sample();
  press(state, Key::Tab3, of_process, 18);
  press(state, Key::Enter, of_process, 18);
  EXPECT_FALSE(state.filter.object) << "the rows still answer the question before";
  of_process.request.filter = state.filter;
  press(state, Key::Enter, of_process, 18);
  EXPECT_EQ(state.filter.object, 1u);
  EXPECT_EQ(state.filter.process, 1u);
  press(state, Key::Back, of_process, 18);
  EXPECT_EQ(state.tab, Tab::Objects);
  press(state, Key::Back, of_process, 18);
  EXPECT_TRUE(state.filter.empty());
  EXPECT_EQ(state.tab, Tab::Processes);
  EXPECT_EQ(state.selected, 1u);
  press(state, Key::Back, of_process, 18);
  EXPECT_TRUE(state.steps.empty());
}

TEST(TopState, OrdersHelpAndPause) {
  const LiveSnapshot snapshot = sample();
  State state;
  std::vector<analysis::LiveOrder> orders;
  for (int i = 0; i < 5; ++i) {
    orders.push_back(state.order);
    press(state, Key::Sort, snapshot, 18);
  }
  using Order = analysis::LiveOrder;
  EXPECT_THAT(orders, testing::ElementsAre(Order::Copied, Order::Breaks, Order::Rate, Order::Name,
                                           Order::Copied));
  press(state, Key::Help, snapshot, 18);
  EXPECT_TRUE(state.help);
  press(state, Key::Pause, snapshot, 18);
  EXPECT_FALSE(state.help);
  EXPECT_FALSE(state.paused) << "any key only leaves the help";
  press(state, Key::Pause, snapshot, 18);
  EXPECT_TRUE(state.paused);
  press(state, Key::Quit, snapshot, 18);
  EXPECT_TRUE(state.quit);
  EXPECT_EQ(state.request(18).rows, 50u);
  state.tab = Tab::Objects;
  state.selected = 49;
  EXPECT_GE(state.request(18).rows, 49u + 18u);
}

}  // namespace
}  // namespace cowtrace::top
