// SPDX-License-Identifier: Apache-2.0
#include "process/interval_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace cowtrace::process {
namespace {

std::optional<std::size_t> slow_answer(const std::vector<Interval>& all, std::uint64_t address,
                                       std::size_t limit) {
  for (std::size_t i = std::min(limit, all.size()); i-- > 0;) {
    if (all[i].start <= address && address < all[i].end) return i;
  }
  return std::nullopt;
}

TEST(IntervalIndex, AgreesWithTheObviousSearch) {
  std::mt19937 random(7);
  for (std::size_t count : {0, 1, 2, 3, 7, 8, 9, 100, 257}) {
    std::vector<Interval> all;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t start = random() % 500;
      all.push_back({start, start + 1 + random() % (i % 5 == 0 ? 300 : 20)});
    }
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.before(b); });
    const IntervalIndex index(all);
    EXPECT_EQ(index.size(), count);
    for (std::uint64_t address = 0; address < 900; ++address) {
      ASSERT_EQ(index.last_covering(address), slow_answer(all, address, SIZE_MAX)) << address;
      const std::size_t limit = random() % (count + 1);
      ASSERT_EQ(index.last_covering(address, limit), slow_answer(all, address, limit)) << address;
      const auto first = std::find_if(all.begin(), all.end(),
                                      [&](const Interval& one) { return one.start >= address; });
      ASSERT_EQ(index.first_from(address), static_cast<std::size_t>(first - all.begin()));
    }
  }
  EXPECT_EQ(IntervalIndex().last_covering(5), std::nullopt);
  EXPECT_EQ(IntervalIndex().first_from(5), 0u);
}

}  // namespace
}  // namespace cowtrace::process
