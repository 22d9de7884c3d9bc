// SPDX-License-Identifier: Apache-2.0
#include "report/formats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "support/reported.h"
#include "support/story.h"

namespace cowtrace {
namespace {

using report::format_named;
using report::format_of_file;
using ::testing::HasSubstr;

TEST(ReportFormats, EverySuffixOfTheInterfaceIsKnown) {
  for (const char* suffix : {".cow", ".json", ".html", ".txt", ".folded", ".speedscope.json",
                             ".pb.gz", ".pftrace", ".jsonl"}) {
    const auto format = format_of_file(std::string("dir.d/out") + suffix);
    ASSERT_TRUE(format) << suffix;
    EXPECT_EQ((*format)->suffix, suffix);
    EXPECT_EQ(*format_named((*format)->name), *format);
  }
  EXPECT_EQ(report::formats().size(), 9U);
}

TEST(ReportFormats, AnUnknownSuffixListsTheKnownOnes) {
  for (const char* path : {"out.xml", "out", "", "json", "out.json.bak"}) {
    const auto format = format_of_file(path);
    ASSERT_FALSE(format) << path;
    EXPECT_THAT(format.error().message(), HasSubstr(".cow, .json, .html, .txt, .folded"));
  }
  EXPECT_THAT(format_of_file("a\x1b[2J").error().message(), HasSubstr("\\x1b[2J"));
}

TEST(ReportFormats, AnUnknownNameListsTheKnownOnes) {
  const auto format = format_named("yaml");
  ASSERT_FALSE(format);
  EXPECT_THAT(format.error().message(), HasSubstr("cow, json, html, text"));
}

TEST(ReportFormats, OnlyATraceIsWrittenElsewhere) {
  for (const report::Format& format : report::formats()) {
    EXPECT_EQ(format.write == nullptr, format.name == "cow");
  }
}

// The ends of what 64 bits of nanoseconds can say: dates that others' documents give too.
TEST(ReportFormats, AnyMomentHasADate) {
  for (const auto& [unix_ns, date] :
       {std::pair<std::int64_t, const char*>{INT64_MIN, "1677-09-21T00:12:43.145224192Z"},
        {-1, "1969-12-31T23:59:59.999999999Z"},
        {0, "1970-01-01T00:00:00.000000000Z"},
        {INT64_MAX, "2262-04-11T23:47:16.854775807Z"}}) {
    test::Story story;
    story.session().capture.started_at_unix_ns = unix_ns;
    const analysis::Report& report = test::reported(story.session(), story.resolver);
    std::ostringstream out;
    ASSERT_TRUE((*format_named("json"))->write(report, {}, out));
    EXPECT_THAT(out.str(), HasSubstr(std::string("\"started_at\":\"") + date + '"'));
  }
}

TEST(ReportFormats, AFullDiskIsAFailure) {
  test::Story story;
  const analysis::Report& report = test::reported(story.session(), story.resolver);
  for (const char* name :
       {"json", "html", "text", "folded", "speedscope", "pprof", "perfetto", "jsonl"}) {
    std::ostringstream out;
    out.setstate(std::ios::badbit);
    EXPECT_FALSE((*format_named(name))->write(report, {}, out)) << name;
  }
}

}  // namespace
}  // namespace cowtrace
