// SPDX-License-Identifier: Apache-2.0
#include "image/page_store.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <random>
#include <vector>

namespace cowtrace::image {
namespace {

using Page = std::array<std::byte, kPageSize>;

// A page as a heap has them: pointers and small numbers.
Page page_of_pointers(std::uint64_t seed) {
  Page page{};
  for (std::uint64_t i = 0; i < kPageSize / 8; i += 2) {
    const std::uint64_t word =
        i % 4 == 0 ? 0x7f0000000000 + seed * kPageSize + i * 16 : 1 + seed % 3;
    std::memcpy(page.data() + i * 8, &word, 8);
  }
  return page;
}

Page page_of_noise(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Page page{};
  for (std::uint64_t i = 0; i < kPageSize / 8; ++i) {
    const std::uint64_t word = random();
    std::memcpy(page.data() + i * 8, &word, 8);
  }
  return page;
}

TEST(PageStore, GivesBackWhatItWasGiven) {
  PageStore store;
  std::vector<Page> pages;
  std::vector<PageStore::Id> ids;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    pages.push_back(i % 7 == 0 ? page_of_noise(i) : i % 7 == 1 ? Page{} : page_of_pointers(i));
    ids.push_back(store.add(pages.back()));
  }
  for (std::size_t i = pages.size(); i-- > 0;) {
    Page out;
    out.fill(std::byte{0xa5});
    store.get(ids[i], out);
    ASSERT_EQ(out, pages[i]) << i;
  }
}

TEST(PageStore, APageOfZerosTakesNoRoom) {
  PageStore store;
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(store.add(Page{}), PageStore::kZeros);
  EXPECT_EQ(store.bytes_used(), 0u);
}

TEST(PageStore, IsSmallerThanWhatItKeeps) {
  PageStore store;
  for (std::uint64_t i = 0; i < 1000; ++i)
    EXPECT_NE(store.add(page_of_pointers(i)), PageStore::kZeros);
  EXPECT_LT(store.bytes_used(), 1000 * kPageSize / 2);
  const std::uint64_t before = store.bytes_used();
  for (std::uint64_t i = 0; i < 1000; ++i)
    EXPECT_NE(store.add(page_of_noise(i)), PageStore::kZeros);
  // What does not become smaller is kept as it is.
  EXPECT_LT(store.bytes_used() - before, 1000 * (kPageSize + 32));
}

}  // namespace
}  // namespace cowtrace::image
