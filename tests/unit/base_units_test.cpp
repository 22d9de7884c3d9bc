// SPDX-License-Identifier: Apache-2.0
#include "base/units.h"

#include <gtest/gtest.h>

#include <string>

namespace cowtrace {
namespace {

TEST(Units, BytesAreBinaryWithOneDecimal) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(4096), "4.0 KiB");
  EXPECT_EQ(human_bytes((1 << 20) - 1), "1.0 MiB");
  EXPECT_EQ(human_bytes(UINT64_MAX), "16.0 EiB");
}

TEST(Units, DurationsChooseTheirUnit) {
  EXPECT_EQ(human_duration(850), "850 ns");
  EXPECT_EQ(human_duration(14'200), "14.2 us");
  EXPECT_EQ(human_duration(999'960), "1.0 ms");
  EXPECT_EQ(human_duration(2'500'000'000), "2.50 s");
}

TEST(Units, CountsAreGroupedByThousands) {
  EXPECT_EQ(human_count(7), "7");
  EXPECT_EQ(human_count(999), "999");
  EXPECT_EQ(human_count(1000), "1,000");
  EXPECT_EQ(human_count(1'234'567), "1,234,567");
}

TEST(Units, SizesAreParsedWithBinarySuffixes) {
  EXPECT_EQ(parse_bytes("4096").value(), 4096u);
  EXPECT_EQ(parse_bytes("64KiB").value(), 65536u);
  EXPECT_EQ(parse_bytes("64k").value(), 65536u);
  EXPECT_EQ(parse_bytes("2GB").value(), std::uint64_t{2} << 30);
}

TEST(Units, WrongSizesAreRefused) {
  for (const char* text :
       {"", "k", "-1", "64X", "64KiBs", "1 k", "99999999999999999999", "99999999999T"})
    EXPECT_FALSE(parse_bytes(text)) << text;
}

TEST(Units, TimesNeedAUnit) {
  EXPECT_EQ(parse_duration("30s").value(), 30'000'000'000u);
  EXPECT_EQ(parse_duration("500ms").value(), 500'000'000u);
  EXPECT_EQ(parse_duration("2h").value(), 7'200'000'000'000u);
  for (const char* text : {"", "30", "5 m", "1d", "99999999999999h"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(Printable, KeepsTextAndUtf8) {
  EXPECT_EQ(printable("worker 1 <b>"), "worker 1 <b>");
  EXPECT_EQ(printable("Größe 页"), "Größe 页");
}

TEST(Printable, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(printable("a\x1b[31mb\n"), "a\\x1b[31mb\\x0a");
  EXPECT_EQ(printable(std::string("\0", 1)), "\\x00");
  EXPECT_EQ(printable("\x7f"), "\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");           // CSI as one C1 character
  EXPECT_EQ(printable("\xe2\x80\xae"), "\\xe2\\x80\\xae");  // right-to-left override
  for (const char* unseen :
       {"\u061c", "\u200b", "\u200f", "\u2028", "\u2029", "\u2060", "\ufeff", "\U000e0061"})
    EXPECT_EQ(printable(unseen).find(unseen), std::string::npos) << printable(unseen);
}

TEST(Printable, EscapesInvalidUtf8) {
  EXPECT_EQ(printable("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");           // overlong
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // surrogate
}

TEST(Result, MessageJoinsWhatWhyAndRemedy) {
  EXPECT_EQ((Error{"what", "why", "remedy"}).message(), "what: why: remedy");
  EXPECT_EQ((Error{"what", "", "remedy"}).message(), "what: remedy");
  const Status status = fail_errno("cannot open x", ENOENT);
  EXPECT_EQ(status.error().message(), "cannot open x: No such file or directory");
}

}  // namespace
}  // namespace cowtrace
