// SPDX-License-Identifier: Apache-2.0
// Against tables of real interpreters and the lines that these read from them
// (data/make_python_line_tables.py), and against tables that no compiler makes.
#include "python/line_table.h"

#include <gtest/gtest.h>

#include <fstream>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

namespace cowtrace::python {
namespace {

using Bytes = std::vector<std::byte>;

constexpr LineFormat kFormats[] = {LineFormat::kLnotab, LineFormat::kLinetable,
                                   LineFormat::kLocations};

Bytes from_hex(const std::string& text) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoul(text.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

Bytes table(std::initializer_list<unsigned> values) {
  Bytes bytes;
  for (const unsigned value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

Version parse_version(const std::string& text) {
  const auto dot = text.find('.');
  return {std::stoi(text.substr(0, dot)), std::stoi(text.substr(dot + 1))};
}

nlohmann::json recorded() {
  std::ifstream file(COWTRACE_TEST_DATA "/unit/data/python_line_tables.json");
  return nlohmann::json::parse(file);
}

// The line that the interpreter gave; its 0 is no line of a file.
std::optional<std::uint32_t> expected_line(const nlohmann::json& line) {
  if (line.is_null() || line.get<int>() < 1) return std::nullopt;
  return line.get<std::uint32_t>();
}

TEST(LineTable, FormatOfEachVersion) {
  EXPECT_EQ(line_format({3, 8}), LineFormat::kLnotab);
  EXPECT_EQ(line_format({3, 9}), LineFormat::kLnotab);
  EXPECT_EQ(line_format({3, 10}), LineFormat::kLinetable);
  EXPECT_EQ(line_format({3, 11}), LineFormat::kLocations);
  EXPECT_EQ(line_format({3, 15}), LineFormat::kLocations);
}

TEST(LineTable, EveryInstructionHasTheLineThatItsInterpreterGives) {
  const auto versions = recorded();
  ASSERT_GE(versions.size(), 8u);
  for (const auto& [name, codes] : versions.items()) {
    const LineFormat format = line_format(parse_version(name));
    ASSERT_GE(codes.size(), 10u);
    std::uint32_t without_line = 0;
    for (const auto& code : codes) {
      const Bytes bytes = from_hex(code["table"]);
      const int first_line = code["first_line"];
      std::uint32_t end = 0;
      for (const auto& range : code["lines"]) {
        const auto expected = expected_line(range[2]);
        without_line += expected ? 0 : 1;
        end = range[1];
        for (std::uint32_t offset = range[0]; offset < end; offset += 2) {
          ASSERT_EQ(line_of(format, bytes, first_line, offset), expected)
              << name << " " << code["name"] << " " << offset;
        }
      }
      if (format != LineFormat::kLnotab) {
        EXPECT_EQ(line_of(format, bytes, first_line, end), std::nullopt);
      }
    }
    if (format != LineFormat::kLnotab) {
      EXPECT_GT(without_line, 0u) << name;
    }
  }
}

TEST(LineTable, AnEmptyTable) {
  EXPECT_EQ(line_of(LineFormat::kLnotab, {}, 7, 0), 7u);
  EXPECT_EQ(line_of(LineFormat::kLnotab, {}, 7, UINT32_MAX), 7u);
  EXPECT_EQ(line_of(LineFormat::kLinetable, {}, 7, 0), std::nullopt);
  EXPECT_EQ(line_of(LineFormat::kLocations, {}, 7, 0), std::nullopt);
}

TEST(LineTable, HalfAPairIsNone) {
  EXPECT_EQ(line_of(LineFormat::kLnotab, table({0, 1, 4}), 7, 6), 8u);
  EXPECT_EQ(line_of(LineFormat::kLinetable, table({4, 1, 4}), 7, 0), 8u);
  EXPECT_EQ(line_of(LineFormat::kLinetable, table({4, 1, 4}), 7, 4), std::nullopt);
}

TEST(LineTable, NoLineOfAFileIsBelowOneOrAboveAnInt) {
  EXPECT_EQ(line_of(LineFormat::kLnotab, table({0, 0xff}), 1, 0), std::nullopt);
  EXPECT_EQ(line_of(LineFormat::kLinetable, table({2, 0xff}), 1, 0), std::nullopt);
  EXPECT_EQ(line_of(LineFormat::kLocations, table({0xe8, 0x03}), 1, 0), std::nullopt);
  EXPECT_EQ(line_of(LineFormat::kLnotab, table({0, 1}), INT32_MAX, 0), std::nullopt);
}

TEST(LineTable, ALocationMustBeginWithItsMark) {
  EXPECT_EQ(line_of(LineFormat::kLocations, table({0x00, 0x80, 0x00}), 7, 0), std::nullopt);
}

TEST(LineTable, NumbersThatEndTooSoonOrTooLate) {
  // 0xe8: no columns, one instruction, a signed number follows.
  EXPECT_EQ(line_of(LineFormat::kLocations, table({0xe8, 0x02}), 7, 0), 8u);
  EXPECT_EQ(line_of(LineFormat::kLocations, table({0xe8, 0x42, 0x01}), 7, 0), 7u + 33);
  EXPECT_EQ(line_of(LineFormat::kLocations, table({0xe8}), 7, 0), std::nullopt);
  EXPECT_EQ(line_of(LineFormat::kLocations, table({0xe8, 0x42}), 7, 0), std::nullopt);
  EXPECT_EQ(line_of(LineFormat::kLocations, table({0xe8, 0xe8, 0x02}), 7, 2), std::nullopt);
  EXPECT_EQ(line_of(LineFormat::kLocations, table({0xe8, 0x42, 0x80, 0x00}), 7, 2), std::nullopt);
  EXPECT_EQ(
      line_of(LineFormat::kLocations, table({0xe8, 0x40, 0x40, 0x40, 0x40, 0x40, 0x3f}), 7, 0),
      std::nullopt);
  EXPECT_EQ(line_of(LineFormat::kLocations, Bytes(5000, std::byte{0x7f}), 7, 0), std::nullopt);
}

// Each table lies in a heap block of exactly its size, so that AddressSanitizer sees a read
// outside.
TEST(LineTable, AnyBytesAreRead) {
  std::mt19937 random(20261125);
  for (int round = 0; round < 20000; ++round) {
    Bytes bytes(random() % 40);
    for (auto& byte : bytes) byte = static_cast<std::byte>(random());
    bytes.shrink_to_fit();
    for (const LineFormat format : kFormats) {
      const int first_line = static_cast<int>(random());
      const auto line =
          line_of(format, bytes, first_line, static_cast<std::uint32_t>(random() % 300));
      if (line) {
        ASSERT_LE(*line, static_cast<std::uint32_t>(INT32_MAX));
      }
      (void)line_of(format, bytes, first_line, UINT32_MAX);
    }
  }
}

TEST(LineTable, EveryCutOfARealTableIsRead) {
  const auto versions = recorded();
  for (const auto& [name, codes] : versions.items()) {
    const LineFormat format = line_format(parse_version(name));
    for (const auto& code : codes) {
      const Bytes whole = from_hex(code["table"]);
      for (std::size_t size = 0; size < whole.size(); ++size) {
        const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        (void)line_of(format, cut, code["first_line"], UINT32_MAX);
      }
    }
  }
}

TEST(LineTable, TheLargestTableIsReadOnce) {
  const Bytes many(std::size_t{1} << 20, std::byte{0xe8});
  EXPECT_EQ(line_of(LineFormat::kLocations, many, 7, UINT32_MAX), std::nullopt);
  const Bytes steps(std::size_t{1} << 20, std::byte{0x7f});
  EXPECT_EQ(line_of(LineFormat::kLnotab, steps, 7, UINT32_MAX), 7u + 127 * (1u << 19));
}

}  // namespace
}  // namespace cowtrace::python
