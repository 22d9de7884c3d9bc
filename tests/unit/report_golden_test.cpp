// SPDX-License-Identifier: Apache-2.0
// Whole reports against golden files. The JSON one is also validated against
// docs/report.schema.json by tests/validate_report.py.
#include <gtest/gtest.h>

#include <sstream>

#include "report/formats.h"
#include "support/golden.h"
#include "support/reported.h"
#include "support/story.h"

namespace cowtrace {
namespace {

std::string rendered(test::Story& story, std::string_view format_name,
                     report::ReportOptions options) {
  options.version = "0.0.0-test";
  const analysis::Report& report = test::reported(story.session(), story.resolver);
  const auto format = report::format_named(format_name);
  EXPECT_TRUE(format) << format.error().message();
  std::ostringstream out;
  const Status status = (*format)->write(report, options, out);
  EXPECT_TRUE(status) << status.error().message();
  return out.str();
}

TEST(ReportGolden, Json) {
  test::Story story;
  test::expect_golden("story.json", rendered(story, "json", {}));
}

TEST(ReportGolden, Text) {
  test::Story story;
  test::expect_golden("story.txt", rendered(story, "text", {}));
}

TEST(ReportGolden, TextInColourAndWide) {
  test::Story story;
  report::ReportOptions options;
  options.color = true;
  options.width = 120;
  options.rows = 2;
  test::expect_golden("story_color.txt", rendered(story, "text", options));
}

TEST(ReportGolden, Folded) {
  test::Story story;
  test::expect_golden("story.folded", rendered(story, "folded", {}));
}

TEST(ReportGolden, Speedscope) {
  test::Story story;
  test::expect_golden("story.speedscope.json", rendered(story, "speedscope", {}));
}

TEST(ReportGolden, JsonOfAnEmptySession) {
  model::Session session;
  test::FakeResolver resolver;
  const analysis::Report& report = test::reported(session, resolver);
  report::ReportOptions options;
  options.version = "0.0.0-test";
  std::ostringstream out;
  ASSERT_TRUE((*report::format_named("json"))->write(report, options, out));
  test::expect_golden("empty.json", out.str());
}

}  // namespace
}  // namespace cowtrace
