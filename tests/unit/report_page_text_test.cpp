// SPDX-License-Identifier: Apache-2.0
#include "report/page_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace cowtrace {
namespace {

using Json = nlohmann::json;

analysis::PageRow page() {
  analysis::PageRow row;
  row.process = model::ProcessKey(3);
  row.pid = 1234;
  row.address = 0x7f00'0000'1000;
  row.size = 4096;
  row.breaks = 2;
  row.by_mechanism[static_cast<std::size_t>(model::Mechanism::Copy)] = 2;
  row.by_mechanism[static_cast<std::size_t>(model::Mechanism::Reuse)] = 1;
  row.first_ns = 5;
  row.last_ns = 7;
  row.written = 0x7f00'0000'1008;
  return row;
}

TEST(PageText, WhatIsNotKnownIsNull) {
  report::PageText text;
  const Json json = Json::parse(text.of(page()));
  EXPECT_EQ(json["by_mechanism"], (Json{{"copy", 2}, {"reuse", 1}}));
  for (const char* key : {"old_frame", "new_frame", "mapping", "object", "actor"})
    EXPECT_TRUE(json.at(key).is_null()) << key;
  EXPECT_EQ(json["neighbours"], Json::array());
  EXPECT_EQ(json["cause"], "unknown");
  EXPECT_EQ(json["written"], "0x7f0000001008");
}

TEST(PageText, AllThatIsKnown) {
  analysis::PageRow row = page();
  row.old_frame = 0x12;
  row.new_frame = UINT64_MAX;
  row.object = analysis::ObjectId(8);
  row.neighbours = {analysis::ObjectId(1), analysis::ObjectId(9), analysis::ObjectId(20)};
  row.cause = model::Cause::Refcount;
  row.by_mechanism = {};
  report::PageText text;
  const Json json = Json::parse(text.of(row));
  EXPECT_EQ(json["old_frame"], "0x12");
  EXPECT_EQ(json["new_frame"], "0xffffffffffffffff");
  EXPECT_EQ(json["object"], 8);
  EXPECT_EQ(json["neighbours"], (Json{1, 9, 20}));
  EXPECT_EQ(json["cause"], "refcount");
  EXPECT_EQ(json["by_mechanism"], Json::object());
}

// Names that the traced program chooses, one row after the other.
TEST(PageText, NamesAreEscaped) {
  report::PageText text;
  for (const auto& [name, read] :
       {std::pair<std::string, std::string>{"/tmp/a\"b\\c", "/tmp/a\"b\\c"},
        {"line\nfeed\x1b[31m", "line\nfeed\x1b[31m"},
        {"bad \xff", "bad \xef\xbf\xbd"},
        {"{}{0}", "{}{0}"}}) {
    analysis::PageRow row = page();
    row.mapping = name;
    row.actor = analysis::Actor{-1, name};
    const std::string written(text.of(row));
    EXPECT_EQ(written.find_first_of("\n\x1b"), std::string::npos);
    const Json json = Json::parse(written);
    EXPECT_EQ(json["mapping"], read);
    EXPECT_EQ(json["actor"], (Json{{"pid", -1}, {"command", read}}));
  }
  EXPECT_TRUE(Json::parse(text.of(page()))["mapping"].is_null());
}

}  // namespace
}  // namespace cowtrace
