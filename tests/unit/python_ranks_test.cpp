// SPDX-License-Identifier: Apache-2.0
#include "python/ranks.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <vector>

namespace cowtrace::python {
namespace {

// Entries of which some are in use, and how often they were asked for it.
struct Table {
  std::vector<bool> live;
  std::uint64_t looks = 0;

  std::uint64_t rank(Ranks& ranks, std::uint64_t table, std::uint32_t entry) {
    return ranks.before(table, entry, [&](std::uint64_t i) {
      ++looks;
      return i < live.size() && live[i];
    });
  }
};

Table random_table(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  Table table;
  for (std::size_t i = 0; i < size; ++i) table.live.push_back(random() % 3 != 0);
  return table;
}

std::uint64_t counted(const Table& table, std::uint32_t entry) {
  std::uint64_t live = 0;
  for (std::uint32_t i = 0; i < entry; ++i) live += table.live[i] ? 1 : 0;
  return live;
}

TEST(Ranks, AreThoseOfACountInAnyOrder) {
  Ranks ranks;
  Table table = random_table(1000, 1);
  std::mt19937 random(2);
  for (int i = 0; i < 3000; ++i) {
    const auto entry = static_cast<std::uint32_t>(random() % 1000);
    ASSERT_EQ(table.rank(ranks, 0x1000, entry), counted(table, entry)) << entry;
  }
}

TEST(Ranks, TablesAreToldApart) {
  Ranks ranks;
  Table one = random_table(300, 3), other = random_table(300, 4);
  for (std::uint32_t entry = 0; entry < 300; ++entry) {
    ASSERT_EQ(one.rank(ranks, 0x1000, entry), counted(one, entry)) << entry;
    ASSERT_EQ(other.rank(ranks, 0x2000, entry), counted(other, entry)) << entry;
  }
}

// The ranks of all entries cost what one pass costs; the first 64 are few enough to be counted each
// time.
TEST(Ranks, OfAllEntriesTakeOnePass) {
  constexpr std::uint32_t kEntries = 200'000;
  Ranks ranks;
  Table table = random_table(kEntries, 5);
  std::uint64_t expected = 0;
  for (std::uint32_t entry = 0; entry < kEntries; ++entry) {
    ASSERT_EQ(table.rank(ranks, 0x1000, entry), expected);
    expected += table.live[entry] ? 1 : 0;
  }
  EXPECT_LE(table.looks, kEntries + 64 * 64);
}

// A hostile table claims to be long; what is behind the entry is not looked at.
TEST(Ranks, LookNoFurtherThanTheBlockOfTheEntry) {
  Ranks ranks;
  Table table = random_table(10, 6);
  EXPECT_EQ(table.rank(ranks, 0x1000, 1000), counted(table, 10));
  EXPECT_LE(table.looks, 1024);
}

}  // namespace
}  // namespace cowtrace::python
