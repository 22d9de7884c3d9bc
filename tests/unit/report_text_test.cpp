// SPDX-License-Identifier: Apache-2.0
// What the golden files cannot show at a glance: the first line in all its forms, widths, and
// harmlessness.
#include "report/writers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "report/frame_text.h"
#include "report/text_layout.h"
#include "support/golden.h"
#include "support/reported.h"
#include "support/story.h"

namespace cowtrace {
namespace {

using report::bar;
using report::columns;
using report::fitted;
using report::percent;
using report::wrapped;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string text_of(model::Session& session, model::Resolver& resolver,
                    const report::ReportOptions& options = {}) {
  const analysis::Report& report = test::reported(session, resolver);
  std::ostringstream out;
  EXPECT_TRUE(report::write_text(report, options, out));
  return out.str();
}

class ReportHeadline : public ::testing::Test {
 protected:
  std::string first_line() {
    report::ReportOptions options;
    options.width = 200;
    const std::string text = text_of(builder.finish(), resolver, options);
    return text.substr(0, text.find('\n'));
  }

  test::SessionBuilder builder;
  test::FakeResolver resolver;
};

TEST_F(ReportHeadline, PythonFramesAreWrittenAsPythonDoes) {
  const auto process = builder.process(1, "p");
  resolver.name_code(0x100, "write_config");
  resolver.name_code(0x200, std::string(100, 'f'));
  model::Resolution event;
  event.stack = builder.stack(process, {}, false, {{0x100, 15}, {0x200, 40}});
  builder.write(process, 1, 0x10'0000, event);
  const std::string text = text_of(builder.finish(), resolver);
  EXPECT_THAT(text, HasSubstr("  write_config (app.py:15)\n"));
  EXPECT_THAT(text, AllOf(HasSubstr("fff...fff"), HasSubstr("fff (app.py:40)\n")));
}

TEST_F(ReportHeadline, SaysHowMuch) {
  const auto parent = builder.process(1, "p");
  const auto child = builder.process(2, "c", parent);
  auto& processes = builder.session.processes;
  for (std::uint64_t i = 0; i < 2006; ++i)
    builder.write(i < 6 ? parent : child, i, 0x10'0000 + i * kPageSize);
  processes[1].inherited_bytes = 16U << 20;
  EXPECT_EQ(first_line(),
            "2 processes broke 2,006 shared pages: 7.8 MiB copied of 16.0 MiB inherited; not "
            "audited");
  processes[1].audit = model::Audit{10, 10, {}, {}};
  EXPECT_THAT(first_line(), HasSubstr("; all explained in the 1 of 2 processes that were audited"));
  processes[0].audit = model::Audit{0, 0, {}, {}};
  EXPECT_THAT(first_line(), ::testing::EndsWith("; all explained"));
  processes[0].audit = model::Audit{3, 1, {}, {}};
  EXPECT_THAT(first_line(), HasSubstr("; 2 private pages UNEXPLAINED"));
  builder.process(3, "nobody looked at this one", child);
  EXPECT_THAT(first_line(), HasSubstr(": 7.8 MiB copied of at least 16.0 MiB inherited; "));
}

TEST_F(ReportHeadline, SaysWhenNothingWasBroken) {
  builder.process(1, "p");
  EXPECT_EQ(first_line(), "no shared page was broken by 1 process; not audited");
  builder.session.processes[0].inherited_bytes = 4096;
  EXPECT_EQ(first_line(), "no shared page was broken by 1 process: 4.0 KiB inherited; not audited");
}

TEST_F(ReportHeadline, SaysThatNothingWasSharedWhereEachProcessWasStartedByExec) {
  const auto parent = builder.process(1, "p");
  auto& processes = builder.session.processes;
  processes[0].exec_ns = {5};
  processes[0].audit = model::Audit{};
  EXPECT_EQ(first_line(),
            "nothing was shared: the only process was started by exec and forked nothing");
  builder.process(2, "vforked");
  processes[1].exec_ns = {10};
  builder.process(3, "forked", parent);
  processes[2].exec_ns = {15};
  builder.add_space(processes[2].key);
  EXPECT_EQ(first_line(),
            "nothing was shared: each of the 3 processes was started by exec, which begins with "
            "memory of its own (spawn, not fork)");
  // Its exec was before the fork, or what it ran shared memory.
  const auto child = builder.process(4, "c", parent);
  EXPECT_THAT(first_line(), HasSubstr("no shared page was broken by 4 processes; "));
  builder.write(child, 20, 0x10'0000);
  EXPECT_THAT(first_line(), HasSubstr("1 process broke 1 shared page: "));
}

TEST(ReportText, NoLineIsWiderThanTheTerminal) {
  test::Story story;
  for (const std::size_t width : {80U, 81U, 100U, 132U}) {
    report::ReportOptions options;
    options.width = width;
    for (const std::string& line :
         test::lines_of(text_of(story.session(), story.resolver, options)))
      EXPECT_LE(columns(line), width) << line;
  }
}

TEST(ReportText, NothingOfTheProgramReachesTheTerminalRaw) {
  test::Story story;
  const std::string text = text_of(story.session(), story.resolver);
  for (const char byte : text)
    EXPECT_TRUE(byte == '\n' || (static_cast<unsigned char>(byte) >= 0x20 && byte != 0x7f));
  EXPECT_THAT(text, HasSubstr("\\x1b[2J"));
}

TEST(ReportText, LossesAreSaidAtTheTopAndAtTheEnd) {
  test::Story story;
  const std::vector<std::string> lines = test::lines_of(text_of(story.session(), story.resolver));
  EXPECT_THAT(lines.at(2), HasSubstr("! 2 resolutions lost their detail"));
  EXPECT_THAT(lines.back(), HasSubstr("! this report is incomplete: see the 3 warnings"));
}

TEST(ReportText, ACompleteReportHasNoWarning) {
  test::SessionBuilder builder;
  test::FakeResolver resolver;
  builder.write(builder.process(1, "p"), 1, 0x1000);
  EXPECT_THAT(text_of(builder.finish(), resolver), Not(HasSubstr("! ")));
}

TEST(ReportText, TheProcessesThatCopiedMostAreShown) {
  test::SessionBuilder builder;
  test::FakeResolver resolver;
  const auto parent = builder.process(100, "p");
  for (std::int32_t i = 0; i < 30; ++i) {
    const auto child = builder.process(200 + i, "c", parent);
    for (std::uint64_t page = 0; page <= static_cast<std::uint64_t>(i); ++page)
      builder.write(child, page, 0x1000 + page * kPageSize);
  }
  report::ReportOptions options;
  options.rows = 2;
  const std::string text = text_of(builder.finish(), resolver, options);
  for (const char* pid : {"  226", "  227", "  228", "  229"}) EXPECT_THAT(text, HasSubstr(pid));
  EXPECT_THAT(text, Not(HasSubstr("  225")));
  // Their parent is there too, for they are its children.
  EXPECT_THAT(text, HasSubstr("\n  100  p "));
  EXPECT_THAT(text, HasSubstr("and 26 more: 351 breaks, 1.4 MiB copied"));
}

TEST(ReportText, StallsOfEveryLengthFitIntoALine) {
  test::SessionBuilder builder;
  test::FakeResolver resolver;
  const auto process = builder.process(100, "a-program-with-a-name");
  std::uint64_t page = 0x1000;
  for (const std::uint32_t latency_ns :
       {2'000U, 20'000U, 200'000U, 2'000'000U, 20'000'000U, 200'000'000U, 2'000'000'000U}) {
    model::Resolution event;
    event.latency_ns = latency_ns;
    page += kPageSize;
    builder.write(process, page, page, event);
  }
  const std::string text = text_of(builder.finish(), resolver);
  const std::string stalls = text.substr(text.find("\nStalls"));
  std::istringstream lines(stalls.substr(0, stalls.find("\n\n", 1)));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(columns(line), 80U) << line;
  // The first column that is shown has what is shorter, too.
  EXPECT_THAT(stalls, ContainsRegex("<10ms +<100ms +<1s +longer\n.* 4 +1 +1 +1\n"));
}

TEST(ReportText, SymbolsOfOneNameAreOneRow) {
  test::SessionBuilder builder;
  test::FakeResolver resolver;
  const auto process = builder.process(100, "p");
  for (const std::uint64_t page : {0x10000U, 0x20000U}) {
    model::Object symbol;
    symbol.kind = model::ObjectKind::Symbol;
    symbol.name = "completed.0";
    symbol.address = page;
    symbol.size = 1;
    resolver.add(symbol);
    builder.write(process, page, page);
  }
  const std::string text = text_of(builder.finish(), resolver);
  EXPECT_THAT(text, ContainsRegex("completed.0 \\(2 objects\\) +symbol +2 B +2 +"));
}

model::StackFrame frame_of(std::string function, std::string file, std::string module,
                           std::string why = {}) {
  model::StackFrame frame;
  frame.function = std::move(function);
  frame.file = std::move(file);
  frame.line = frame.file.empty() ? 0 : 12;
  frame.module = std::move(module);
  frame.why_unnamed = std::move(why);
  return frame;
}

// What differs only in stack frames that are not shown is one row; a deeper recursion, for one.
TEST(ReportText, SitesThatLookAlikeAreOneRow) {
  test::SessionBuilder builder;
  test::FakeResolver resolver;
  const auto process = builder.process(100, "p");
  resolver.name(0x10, {frame_of("visit", "tree.c", "/usr/bin/tree")});
  resolver.name(0x20, {frame_of("0x20", {}, "/usr/lib/libone-with-a-long-name.so.1",
                                "no symbol covers it in libone-with-a-long-name.so.1")});
  resolver.name(0x30, {frame_of("0x30", {}, "/usr/lib/libtwo-with-a-long-name.so.1",
                                "no symbol covers it in libtwo-with-a-long-name.so.1")});
  std::uint64_t page = 0x100;
  for (const std::size_t depth : {5, 6, 9}) {
    const auto stack = builder.stack(process, std::vector<std::uint64_t>(depth, 0x10));
    builder.write(process, page, page * kPageSize, [&] {
      model::Resolution event;
      event.stack = stack;
      event.ip = 0x10;
      return event;
    }());
    ++page;
  }
  for (const std::uint64_t ip : {0x20, 0x30})
    builder.write(process, page + ip, (page + ip) * kPageSize, [&] {
      model::Resolution event;
      event.stack = builder.stack(process, {ip});
      event.ip = ip;
      return event;
    }());
  const std::string text = text_of(builder.finish(), resolver);
  EXPECT_THAT(text, HasSubstr("          3   12.0 KiB  visit  tree.c:12\n"));
  EXPECT_THAT(text, HasSubstr("<- and 1 to 5 more\n"));
  EXPECT_THAT(text, HasSubstr("          1    4.0 KiB  0x20  libone-with-a-long-name.so.1\n"));
  EXPECT_THAT(text, HasSubstr("          1    4.0 KiB  0x30  libtwo-with-a-long-name.so.1\n"));
}

// The module is what tells functions without a name apart.
TEST(ReportText, OfAStackFrameTheModuleStays) {
  const auto frame = frame_of("void scenario::storage<std::vector<int>>::write_all(int)", {},
                              "/usr/lib/a/very/long/path/libstorage.so.2");
  EXPECT_EQ(report::described(frame, 200), frame.function + "  " + frame.module);
  EXPECT_EQ(report::described(frame, 50), "void scenario::stora...e_all(int)  libstorage.so.2");
  EXPECT_EQ(report::described(frame, 30), "void sc...nt)  libstorage.so.2");
}

TEST(ReportLayout, FittingCountsCodePoints) {
  EXPECT_EQ(columns("w\xc3\xb6rk"), 4U);
  EXPECT_EQ(fitted("w\xc3\xb6rk", 4), "w\xc3\xb6rk");
  EXPECT_EQ(fitted("\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6", 5), "\xc3\xb6\xc3\xb6...");
  EXPECT_EQ(fitted("/a/b/\xc3\xb6.c", 6, Cut::Start), "...\xc3\xb6.c");
  EXPECT_EQ(fitted("abcdef", 2), "..");
  EXPECT_EQ(fitted("void scenario::storage<int>::write", 28), "void scenario::st...>::write");
  EXPECT_EQ(fitted("abcdefghij", 6, Cut::End), "abc...");
  EXPECT_EQ(fitted("", 0), "");
}

TEST(ReportLayout, WrappingKeepsWordsWhole) {
  EXPECT_THAT(wrapped("one two three", 7), ElementsAre("one two", "three"));
  EXPECT_THAT(wrapped("incomprehensible", 5), ElementsAre("incomprehensible"));
  EXPECT_TRUE(wrapped("", 5).empty());
}

TEST(ReportLayout, SharesNeverRoundToNothing) {
  EXPECT_EQ(bar(0, 100), "[..........]");
  EXPECT_EQ(bar(1, 1000), "[#.........]");
  EXPECT_EQ(bar(50, 100), "[#####.....]");
  EXPECT_EQ(bar(300, 100), "[##########]");  // a page can be copied again after each fork
  EXPECT_EQ(bar(1, 0), "[..........]");
  EXPECT_EQ(percent(1, 1000), "<1%");
  EXPECT_EQ(percent(0, 10), "0%");
  EXPECT_EQ(percent(1, 0), "-");
}

}  // namespace
}  // namespace cowtrace
