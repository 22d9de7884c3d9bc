// SPDX-License-Identifier: Apache-2.0
// How large tables of lines become, of headers that are written here byte by byte, and of real
// ones.
#include "process/line_table_size.h"

#include <gtest/gtest.h>

#include <string>

namespace cowtrace::process {
namespace {

std::string number(std::uint64_t value, std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

const std::string kOpcodes("\0\1\1\1\1\0\0\0\1\0\0\1", 12);

// A table of version 4 with these directories and files.
std::string old_table(const std::string& directories, const std::string& files,
                      std::size_t program) {
  const std::string header = number(1, 1) + number(1, 1) + number(1, 1) + number(0xFB, 1) +
                             number(14, 1) + number(13, 1) + kOpcodes + directories + number(0, 1) +
                             files + number(0, 1);
  const std::string body =
      number(4, 2) + number(header.size(), 4) + header + std::string(program, '\x20');
  return number(body.size(), 4) + body;
}

// Of version 5, with one directory and `files` files, whose paths are at offsets of
// .debug_line_str.
std::string new_table(std::uint64_t files, std::uint64_t directory_at, std::size_t program) {
  std::string entries =
      number(1, 1) + number(1, 1) + number(0x1f, 1) + number(1, 1) + number(directory_at, 4);
  entries += number(2, 1) + number(1, 1) + number(0x1f, 1) + number(2, 1) + number(0x0b, 1) +
             number(files, 1);
  for (std::uint64_t i = 0; i < files; ++i) entries += number(0, 4) + number(0, 1);
  const std::string header = number(1, 1) + number(1, 1) + number(1, 1) + number(0xFB, 1) +
                             number(14, 1) + number(13, 1) + kOpcodes + entries;
  const std::string body = number(5, 2) + number(8, 1) + number(0, 1) + number(header.size(), 4) +
                           header + std::string(program, '\x20');
  return number(body.size(), 4) + body;
}

TEST(LineTableSize, EachByteOfTheProgramMayBeARow) {
  const std::string file = std::string("a.c\0\0\0\0", 7);
  const std::string table = old_table(std::string("dir\0", 4), file, 1000);
  const auto size = line_table_size({table, {}, {}}, 0, 10);
  ASSERT_TRUE(size);
  EXPECT_EQ(size->rows, 1000U);
  EXPECT_GE(size->bytes, 1000U * 100);
  EXPECT_LE(size->bytes, 1000U * 300);
  EXPECT_EQ(line_table_size({"xx" + table, {}, {}}, 2, 10), size);
}

TEST(LineTableSize, EachFileHasAPathOfItsOwn) {
  const std::string directory = std::string(100'000, 'd') + number(0, 1);
  std::string files;
  for (int i = 0; i < 1000; ++i) files += std::string("a\0\1\0\0", 5);
  const std::string table = old_table(directory, files, 0);
  const auto size = line_table_size({table, {}, {}}, 0, 0);
  ASSERT_TRUE(size);
  EXPECT_GE(size->bytes, 1000U * 100'000);
  // The same of strings in another section.
  const std::string strings = std::string("a\0", 2) + directory;
  const std::string recent = new_table(100, 2, 0);
  const auto other = line_table_size({recent, strings, {}}, 0, 0);
  ASSERT_TRUE(other);
  EXPECT_GE(other->bytes, 100U * 100'000);
  EXPECT_LE(other->bytes, 110U * 100'100);
}

TEST(LineTableSize, TheDirectoryOfTheUnitCounts) {
  const std::string table = old_table("", std::string("a.c\0\0\0\0", 7), 0);
  const auto size = line_table_size({table, {}, {}}, 0, 1 << 20);
  ASSERT_TRUE(size);
  EXPECT_GE(size->bytes, std::uint64_t{1} << 20);
  EXPECT_GE(line_table_size({table, {}, {}}, 0, UINT64_MAX / 2)->bytes, UINT64_MAX / 2);
}

TEST(LineTableSize, NonsenseHasNone) {
  const std::string table = new_table(10, 0, 100);
  const std::string strings("name\0", 5);
  ASSERT_TRUE(line_table_size({table, strings, {}}, 0, 0));
  EXPECT_FALSE(line_table_size({table, strings, {}}, table.size(), 0));
  EXPECT_FALSE(line_table_size({table, strings, {}}, UINT64_MAX, 0));
  EXPECT_FALSE(line_table_size({{}, {}, {}}, 0, 0));
  for (std::size_t cut = 0; cut + 100 < table.size(); ++cut)
    EXPECT_FALSE(line_table_size({std::string_view(table).substr(0, cut), strings, {}}, 0, 0))
        << cut;
  // Whatever the bytes are, there is an answer.
  for (std::size_t at = 0; at < table.size(); ++at) {
    for (const char value : {'\0', '\x7f', '\xff'}) {
      std::string bad = table;
      bad[at] = value;
      static_cast<void>(line_table_size({bad, strings, {}}, 0, 0));
    }
  }
}

}  // namespace
}  // namespace cowtrace::process
