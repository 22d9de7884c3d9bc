// SPDX-License-Identifier: Apache-2.0
#include "image/readable_pages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

namespace cowtrace::image {
namespace {

void fill(std::byte* page, int value) {
  std::memset(page, value, kPageSize);
}

TEST(ReadablePages, GivesBackWhatWasPutThere) {
  ReadablePages pages(std::uint64_t{1} << 26);  // 256 GiB of address space
  const std::uint64_t numbers[] = {0, 1, 1000, (std::uint64_t{1} << 26) - 1};
  for (const std::uint64_t page : numbers) EXPECT_EQ(pages.find(page), nullptr);
  for (const std::uint64_t page : numbers)
    fill(pages.make(page, false), static_cast<int>(page % 100) + 1);
  EXPECT_EQ(pages.count(), std::size(numbers));
  for (const std::uint64_t page : numbers) {
    const std::byte* const bytes = pages.find(page);
    ASSERT_NE(bytes, nullptr);
    const auto expected = static_cast<std::byte>(page % 100 + 1);
    EXPECT_TRUE(std::all_of(bytes, bytes + kPageSize, [&](std::byte byte) {
      return byte == expected;
    })) << page;
  }
}

TEST(ReadablePages, LeavesThoseThatStay) {
  ReadablePages pages(100);
  for (std::uint64_t page = 0; page < 100; ++page)
    fill(pages.make(page, page % 2 == 0), static_cast<int>(page));
  EXPECT_EQ(pages.count(), 50u);
  for (const std::uint64_t keep : {50, 10, 0}) {
    pages.clear(keep);
    EXPECT_EQ(pages.count(), 0u);
    for (std::uint64_t page = 0; page < 100; ++page) {
      const std::byte* const bytes = pages.find(page);
      ASSERT_EQ(bytes != nullptr, page % 2 == 0) << page;
      if (bytes == nullptr) continue;
      EXPECT_EQ(bytes[kPageSize - 1], static_cast<std::byte>(page));
    }
    for (std::uint64_t page = 1; page < 100; page += 2) fill(pages.make(page, false), 200);
    for (std::uint64_t page = 0; page < 100; page += 2)
      EXPECT_EQ(*pages.find(page), static_cast<std::byte>(page));
  }
}

}  // namespace
}  // namespace cowtrace::image
