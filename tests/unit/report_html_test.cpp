// SPDX-License-Identifier: Apache-2.0
// The HTML report read back as a browser would, without the code that wrote it.
// tests/integration/test_html.py opens it in a browser.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "analysis/page_groups.h"
#include "analysis/site_keys.h"
#include "report/formats.h"
#include "report/html_bundle.h"
#include "report/html_columns.h"
#include "report/html_layout.h"
#include "report/html_sections.h"
#include "support/reported.h"
#include "support/story.h"

namespace cowtrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string rendered(const model::Session& session, model::Resolver& resolver) {
  const analysis::Report& report = test::reported(session, resolver);
  report::ReportOptions options;
  options.version = "0.0.0-test";
  std::ostringstream out;
  EXPECT_TRUE((*report::format_named("html"))->write(report, options, out));
  return out.str();
}

std::string from_base64(std::string_view text) {
  std::string bytes;
  std::uint32_t word = 0;
  int bits = 0;
  for (const char c : text) {
    if (c == '\n' || c == '=') continue;
    const auto digit =
        std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
            .find(c);
    EXPECT_NE(digit, std::string_view::npos) << c;
    word = word << 6 | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits >= 8) bytes += static_cast<char>(word >> (bits -= 8) & 0xff);
  }
  return bytes;
}

std::string inflated(const std::string& packed) {
  std::string bytes(std::size_t{64} << 20, '\0');
  uLongf size = bytes.size();
  EXPECT_EQ(uncompress(reinterpret_cast<Bytef*>(bytes.data()), &size,
                       reinterpret_cast<const Bytef*>(packed.data()), packed.size()),
            Z_OK);
  bytes.resize(size);
  return bytes;
}

struct Sections {
  std::map<std::string, nlohmann::json> json;
  std::map<std::string, std::vector<std::string>> columns;
};

Sections sections_of(const std::string& data) {
  Sections sections;
  for (std::size_t at = 0; at < data.size();) {
    const char kind = data[at];
    const std::size_t name_size = static_cast<unsigned char>(data[at + 1]);
    const std::string name = data.substr(at + 2, name_size);
    at += 2 + name_size;
    std::size_t size = 0;
    for (int i = 0; i < 4; ++i)
      size |= std::size_t{static_cast<unsigned char>(data[at + i])} << (8 * i);
    const std::string body = data.substr(at + 4, size);
    if (kind == 'J')
      sections.json[name] = nlohmann::json::parse(body);
    else
      sections.columns[name].push_back(body);
    at += 4 + size;
  }
  return sections;
}

std::string data_of(const std::string& page) {
  const std::size_t begin = report::html_head().size();
  EXPECT_EQ(page.substr(0, begin), report::html_head());
  const std::size_t end = page.size() - report::html_tail().size();
  EXPECT_EQ(page.substr(end), report::html_tail());
  return page.substr(begin, end - begin);
}

// The sums of columns `value` and `count` of the events whose mechanism is a break.
std::uint64_t breaks_in(const Sections& sections) {
  std::uint64_t breaks = 0;
  for (const std::string& body : sections.columns.at("events")) {
    std::size_t rows = 0;
    for (int i = 0; i < 4; ++i) rows |= std::size_t{static_cast<unsigned char>(body[i])} << (8 * i);
    std::size_t at = 4;
    std::map<std::string, std::vector<std::uint64_t>> table;
    for (const auto& column : sections.json.at("layout").at("events")) {
      std::vector<std::uint64_t>& values = table[column[0]];
      values.resize(rows);
      const int planes = body[at++];
      for (int plane = 0; plane < planes; ++plane)
        for (std::size_t i = 0; i < rows; ++i)
          values[i] |= std::uint64_t{static_cast<unsigned char>(body[at++])} << (8 * plane);
    }
    EXPECT_EQ(at, body.size());
    for (std::size_t i = 0; i < rows; ++i)
      if (sections.json.at("meta").at("mechanisms")[table["mechanism"][i]].at("is_break"))
        breaks += table["count"][i];
  }
  return breaks;
}

TEST(ReportHtml, Base64IsThatOfRfc4648) {
  for (const auto& [plain, packed] :
       std::vector<std::pair<std::string, std::string>>{{"", ""},
                                                        {"f", "Zg==\n"},
                                                        {"fo", "Zm8=\n"},
                                                        {"foo", "Zm9v\n"},
                                                        {"foob", "Zm9vYg==\n"},
                                                        {"foobar", "Zm9vYmFy\n"}}) {
    std::ostringstream out;
    report::Base64Stream stream(out);
    for (const char c : plain) stream.write({&c, 1});
    stream.finish();
    EXPECT_EQ(out.str(), packed);
  }
}

TEST(ReportHtml, Base64OfMoreThanALine) {
  std::string plain;
  for (int i = 0; i < 200'001; ++i) plain += static_cast<char>(i * 7);
  std::ostringstream out;
  report::Base64Stream stream(out);
  stream.write(plain);
  stream.finish();
  EXPECT_EQ(from_base64(out.str()), plain);
}

TEST(ReportHtml, ColumnsAreByteForByteAsDescribed) {
  const std::vector<report::HtmlColumn> columns = {{"plain"}, {"delta", true}, {"nothing"}};
  std::ostringstream out;
  report::HtmlSections sections(out);
  report::HtmlTable table("t", columns, sections);
  table.add({0x0102, 10, 0});
  table.add({0x03, 8, 0});
  table.finish();
  ASSERT_TRUE(sections.finish());
  const Sections read = sections_of(inflated(from_base64(out.str())));
  // Two rows; two planes of 0x0102 and 3; zigzag of +10 and -2; no plane at all.
  EXPECT_THAT(read.columns.at("t"), ElementsAre(std::string("\x02\0\0\0"
                                                            "\x02\x02\x03\x01\0"
                                                            "\x01\x14\x03"
                                                            "\0",
                                                            13)));
}

TEST(ReportHtml, NothingOfTheProgramIsInThePage) {
  test::Story story;
  const std::string page = rendered(story.session(), story.resolver);
  const std::string data = data_of(page);
  EXPECT_EQ(
      data.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\n"),
      std::string::npos);
  EXPECT_EQ(page.find("alert(1)"), std::string::npos);
  const Sections sections = sections_of(inflated(from_base64(data)));
  EXPECT_THAT(sections.json.at("strings").dump(), HasSubstr("innocent<script>alert(1)</script>"));
  EXPECT_THAT(sections.json.at("meta").at("processes").dump(), HasSubstr("worker <b>&"));
}

TEST(ReportHtml, ItsSumsAreThoseOfTheSummary) {
  test::Story story;
  const analysis::Summary& summary = test::reported(story.session(), story.resolver).summary;
  const Sections sections =
      sections_of(inflated(from_base64(data_of(rendered(story.session(), story.resolver)))));
  EXPECT_EQ(sections.json.at("meta").at("totals").at("breaks"), summary.totals.breaks);
  EXPECT_EQ(sections.json.at("meta").at("totals").at("copied_bytes"), summary.totals.copied_bytes);
  // Two were counted and lost their detail.
  EXPECT_EQ(breaks_in(sections), summary.totals.breaks - 2);
}

TEST(ReportHtml, TheSameTwice) {
  test::Story one, two;
  EXPECT_EQ(rendered(one.session(), one.resolver), rendered(two.session(), two.resolver));
}

TEST(ReportHtml, AnEmptySessionIsAReportToo) {
  model::Session session;
  test::FakeResolver resolver;
  const Sections sections =
      sections_of(inflated(from_base64(data_of(rendered(session, resolver)))));
  EXPECT_EQ(sections.json.at("meta").at("totals").at("breaks"), 0);
  EXPECT_EQ(sections.columns.count("events"), 0U);
}

// What the page may do is said before anything else, and names each of its two elements by its hash
// (which test_html.py computes).
TEST(ReportHtml, ThePageForbidsEverythingElse) {
  const std::string head(report::html_head());
  const std::string policy = head.substr(head.find("Content-Security-Policy"));
  EXPECT_THAT(policy, HasSubstr("default-src 'none'; script-src 'sha256-"));
  EXPECT_THAT(policy, HasSubstr("style-src 'sha256-"));
  EXPECT_THAT(policy, HasSubstr("require-trusted-types-for 'script'"));
  EXPECT_THAT(policy.substr(0, policy.find('>')), Not(HasSubstr("unsafe")));
  EXPECT_LT(head.find("Content-Security-Policy"), head.find("<style>"));
}

TEST(ReportHtml, EachBreakKnowsItsSite) {
  test::Story story;
  const analysis::Summary& summary = test::reported(story.session(), story.resolver).summary;
  const analysis::SiteIndex& sites = summary.site_index;
  std::vector<std::uint64_t> breaks(summary.sites.size());
  std::set<model::StackHash> broke;
  analysis::PageGroups(story.session()).for_each([&](const analysis::PageGroup& group) {
    for (const analysis::Touch& touch : group.touches)
      if (touch.is_break()) broke.insert(touch.stack);
  });
  analysis::PageGroups(story.session()).for_each([&](const analysis::PageGroup& group) {
    for (const analysis::Touch& touch : group.touches) {
      const auto site = sites.of(touch);
      // What broke nothing has a site only if its stack broke something elsewhere.
      EXPECT_EQ(site.has_value(), touch.is_break() || broke.contains(touch.stack));
      if (touch.is_break() && site) breaks[*site] += touch.count;
    }
  });
  for (std::size_t i = 0; i < breaks.size(); ++i)
    EXPECT_EQ(breaks[i], summary.sites[i].breaks) << i;
}

}  // namespace
}  // namespace cowtrace
