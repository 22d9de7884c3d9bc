// SPDX-License-Identifier: Apache-2.0
// Whole diffs of stories against golden files, and what the page of a diff may hold.
#include "report/diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "report/diff_words.h"
#include "report/text_layout.h"
#include "support/golden.h"
#include "support/reported.h"
#include "support/story.h"

namespace cowtrace::report {
namespace {

using ::testing::HasSubstr;

// The story, with `more` pages of the heap that counting references broke.
analysis::RunFigures run_of(std::int64_t number, std::uint64_t more,
                            model::Phase phase = model::Phase::Running) {
  test::Story story;
  const model::ProcessKey worker(1);
  const model::MappingHash heap(1);
  for (std::uint64_t i = 0; i < more; ++i) {
    model::Resolution event;
    event.mapping = heap;
    event.stack = model::StackHash(1);
    event.cause = model::Cause::Refcount;
    event.phase = phase;
    story.builder.write(worker, 2'300'000'000 + i, 0x5555'5555'0000 + (20 + i) * kPageSize, event);
  }
  story.builder.finish();
  story.session().capture.started_at_unix_ns += number;
  analysis::RunFigures figures =
      analysis::figures_of(test::reported(story.session(), story.resolver).summary);
  figures.trace = "run-" + std::to_string(number) + "<b>.cow";
  return figures;
}

analysis::Comparison one_a_side() {
  return analysis::compare({run_of(1, 30)}, {run_of(2, 0)});
}

analysis::Comparison three_a_side() {
  return analysis::compare({run_of(1, 30), run_of(2, 31), run_of(3, 33)},
                           {run_of(4, 1), run_of(5, 0), run_of(6, 0)});
}

std::string rendered(const analysis::Comparison& comparison, std::string_view format,
                     ReportOptions options = {}) {
  options.version = "0.0.0-test";
  std::ostringstream out;
  const Status status = (*diff_format_named(format))->write(comparison, options, out);
  EXPECT_TRUE(status) << status.error().message();
  return out.str();
}

TEST(DiffGolden, TextOfOneRunASide) {
  test::expect_golden("diff/one.txt", rendered(one_a_side(), "text"));
}

TEST(DiffGolden, TextOfSeveralRunsASide) {
  test::expect_golden("diff/several.txt", rendered(three_a_side(), "text"));
}

TEST(DiffGolden, Json) {
  test::expect_golden("diff/several.json", rendered(three_a_side(), "json"));
}

TEST(DiffGolden, Html) {
  test::expect_golden("diff/several.html", rendered(three_a_side(), "html"));
}

TEST(DiffText, FitsTheTerminalAndHasNoControlBytes) {
  for (const auto& comparison : {one_a_side(), three_a_side()}) {
    const std::string text = rendered(comparison, "text");
    for (const std::string& line : test::lines_of(text)) EXPECT_LE(columns(line), 80U) << line;
    EXPECT_EQ(std::count_if(text.begin(), text.end(),
                            [](char c) {
                              return (static_cast<unsigned char>(c) < 32 && c != '\n') || c == 127;
                            }),
              0);
  }
}

TEST(DiffHtml, NamesOfTheProgramAreNoMarkup) {
  const std::string page = rendered(three_a_side(), "html");
  for (const char* harmless : {"lib&lt;evil&gt;", "worker &lt;b&gt;&amp;", "run-1&lt;b&gt;.cow"})
    EXPECT_NE(page.find(harmless), std::string::npos) << harmless;
  for (const char* markup : {"<b>", "<evil>"})
    EXPECT_EQ(page.find(markup), std::string::npos) << markup;
}

TEST(DiffWords, HeadlineSaysWhatWasSavedOrCost) {
  EXPECT_THAT(diff_headline(one_a_side()), testing::StartsWith("saved 120.0 KiB of "));
  EXPECT_THAT(diff_headline(analysis::compare({run_of(2, 0)}, {run_of(1, 30)})),
              testing::StartsWith("cost 120.0 KiB more: "));
  EXPECT_THAT(diff_headline(analysis::compare({run_of(2, 0)}, {run_of(1, 0)})),
              testing::StartsWith("no difference: "));
  EXPECT_THAT(
      diff_headline(analysis::compare({run_of(1, 9), run_of(2, 4)}, {run_of(3, 5), run_of(4, 7)})),
      testing::StartsWith("no difference beyond noise: "));
}

TEST(DiffWords, TheEndComesFirstWhereItIsTheReason) {
  EXPECT_THAT(diff_reason(one_a_side()),
              testing::StartsWith("most of it: cause refcount -120.0 KiB"));
  EXPECT_THAT(
      diff_reason(analysis::compare({run_of(1, 30, model::Phase::Ending)},
                                    {run_of(2, 0, model::Phase::Ending)})),
      testing::StartsWith("most of it: while ending -120.0 KiB, cause refcount -120.0 KiB"));
}

TEST(DiffWords, Ranges) {
  EXPECT_EQ(bytes_range({0, 4096, 8192}), "4.0..8.0 KiB");
  EXPECT_EQ(bytes_range({0, 512, 8192}), "512 B..8.0 KiB");
  EXPECT_EQ(bytes_range({0, 4096, 4096}), "4.0 KiB");
  EXPECT_EQ(count_range({0, 1000, 2000}), "1,000..2,000");
  EXPECT_EQ(signed_bytes(-4096), "-4.0 KiB");
  EXPECT_EQ(signed_bytes(0), "0 B");
  EXPECT_EQ(signed_count(1234), "+1,234");
  EXPECT_EQ(signed_count(INT64_MIN), "-9,223,372,036,854,775,808");
}

TEST(DiffFormats, AreChosenBySuffixAndName) {
  EXPECT_EQ((*diff_format_of_file("x.html"))->name, "html");
  for (const char* path : {"x.cow", "x", "x.speedscope.json", "x.folded"})
    EXPECT_THAT(diff_format_of_file(path).error().message(), HasSubstr(".txt, .json, .html"))
        << path;
  EXPECT_THAT(diff_format_named("pprof").error().message(), HasSubstr("text, json, html"));
}

}  // namespace
}  // namespace cowtrace::report
