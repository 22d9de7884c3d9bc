// SPDX-License-Identifier: Apache-2.0
#include "capture/load_order.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace cowtrace::capture {
namespace {

using Tries = std::vector<std::pair<int, int>>;

// Loads at the try `good`, counted from 0, and says after `last` that no other can do better.
struct Kernel {
  int good = -1;
  int last = -1;
  Tries tries;

  Status load(int most) {
    return load_in_order(most, [this](int features, int attempt) -> LoadTry {
      const int number = static_cast<int>(tries.size());
      tries.emplace_back(features, attempt);
      if (number == good) return {{}, false};
      return {fail("cannot load", std::to_string(number)), number != last};
    });
  }
};

TEST(LoadOrder, TakesTheFirstThatLoads) {
  Kernel kernel{.good = 0, .last = -1, .tries = {}};
  EXPECT_TRUE(kernel.load(3));
  EXPECT_EQ(kernel.tries, (Tries{{3, 0}}));
}

TEST(LoadOrder, LeavesOutTheNewestFeatureBeforeItLeavesOutHooks) {
  Kernel kernel{.good = 3, .last = -1, .tries = {}};
  EXPECT_TRUE(kernel.load(3));
  EXPECT_EQ(kernel.tries, (Tries{{3, 0}, {2, 0}, {3, 1}, {2, 1}}));
}

TEST(LoadOrder, HasOneTryForEachAttemptWhereThereIsNoFeature) {
  Kernel kernel{.good = 2, .last = -1, .tries = {}};
  EXPECT_TRUE(kernel.load(0));
  EXPECT_EQ(kernel.tries, (Tries{{0, 0}, {0, 1}, {0, 2}}));
}

// There is no memory to open the programs: nothing that could be left out changes that.
TEST(LoadOrder, EndsWhereTheFirstTryIsHopeless) {
  Kernel kernel{.good = -1, .last = 0, .tries = {}};
  const Status loaded = kernel.load(3);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().why, "0");
  EXPECT_EQ(kernel.tries.size(), 1U);
}

TEST(LoadOrder, TellsTheFirstError) {
  Kernel kernel{.good = -1, .last = 4, .tries = {}};
  const Status loaded = kernel.load(3);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().why, "0");
  EXPECT_EQ(kernel.tries.size(), 5U);
}

TEST(LoadOrder, EndsEvenIfEachTryPromisesThatAnotherMayLoad) {
  Kernel kernel;
  EXPECT_FALSE(kernel.load(1));
  EXPECT_LT(kernel.tries.size(), 100U);
}

}  // namespace
}  // namespace cowtrace::capture
