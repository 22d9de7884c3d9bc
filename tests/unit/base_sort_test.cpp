// SPDX-License-Identifier: Apache-2.0
#include "base/sort.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>

namespace cowtrace {
namespace {

struct Item {
  int key;
  int order;
  bool operator==(const Item&) const = default;
};

void expect_as_stable_sort(std::deque<Item> items) {
  for (std::size_t i = 0; i < items.size(); ++i) items[i].order = static_cast<int>(i);
  const auto less = [](const Item& a, const Item& b) { return a.key < b.key; };
  std::deque<Item> expected = items;
  std::stable_sort(expected.begin(), expected.end(), less);
  sort_runs(items.begin(), items.end(), less);
  EXPECT_EQ(items, expected);
}

TEST(SortRuns, NothingOneAndTwo) {
  expect_as_stable_sort({});
  expect_as_stable_sort({{1, 0}});
  expect_as_stable_sort({{2, 0}, {1, 0}});
  expect_as_stable_sort({{1, 0}, {1, 0}});
}

// From sorted already to more seams than are worth counting.
TEST(SortRuns, AnyNumberOfRuns) {
  std::mt19937 random(1);
  for (const int runs : {1, 2, 3, 4, 5, 7, 8, 100, 255, 256, 257, 600}) {
    std::deque<Item> items;
    for (int run = 0; run < runs; ++run)
      for (int i = 0, key = static_cast<int>(random() % 50); i < 20;
           ++i, key += static_cast<int>(random() % 3))
        items.push_back({key, 0});
    expect_as_stable_sort(std::move(items));
  }
}

TEST(SortRuns, RandomAndBackwards) {
  std::mt19937 random(2);
  std::deque<Item> items;
  for (int i = 0; i < 5000; ++i) items.push_back({static_cast<int>(random() % 1000), 0});
  expect_as_stable_sort(items);
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.key > b.key; });
  expect_as_stable_sort(std::move(items));
}

}  // namespace
}  // namespace cowtrace
