// SPDX-License-Identifier: Apache-2.0
#include "pipeline/unused_user.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace cowtrace::pipeline {
namespace {

bool holds(const std::vector<IdRange>& ranges, std::uint64_t id) {
  for (const IdRange& range : ranges)
    if (range.holds(id)) return true;
  return false;
}

TEST(UnusedUser, NoAccountHasIt) {
  std::vector<IdRange> used;
  add_ids(
      "root:x:0:0:root:/root:/bin/sh\nada:x:1001:100::/:/bin/"
      "sh\nbroken\n:::\nlarge:x:99999999999999999999:1\nlast:x:7",
      used);
  for (const std::uint64_t id : {0, 1001, 7}) EXPECT_TRUE(holds(used, id)) << id;
  for (const std::uint64_t id : {1, 100, 1000, 1002}) EXPECT_FALSE(holds(used, id)) << id;
}

TEST(UnusedUser, NoDelegatedRangeHasIt) {
  std::vector<IdRange> used;
  add_ranges("ada:100000:65536\nbob:2130706432:10\nbroken:1\nroot:x:y\n", used);
  EXPECT_TRUE(holds(used, 100000));
  EXPECT_TRUE(holds(used, 165535));
  EXPECT_FALSE(holds(used, 165536));
  EXPECT_TRUE(holds(used, 2130706441));
  EXPECT_FALSE(holds(used, 1));
}

TEST(UnusedUser, NoProcessHasIt) {
  std::vector<IdRange> used;
  add_process_ids(
      "Name:\tUid:\t99\nUmask:\t0022\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nFDSize:\t64\n", used);
  for (std::uint64_t id = 1; id <= 8; ++id) EXPECT_TRUE(holds(used, id)) << id;
  EXPECT_FALSE(holds(used, 64));
}

TEST(UnusedUser, IsTriedUntilOneIsFree) {
  const std::vector<IdRange> used = {{kUnusedUsers.first, 3}};
  std::uint32_t next = 0;
  EXPECT_EQ(choose_unused(used, [&] { return next++; }), kUnusedUsers.first + 3);
  EXPECT_EQ(choose_unused({kUnusedUsers}, [&] { return next++; }), std::nullopt);
}

TEST(UnusedUser, IsFoundHereAndIsNobodys) {
  const auto found = find_unused_user();
  ASSERT_TRUE(found);
  EXPECT_TRUE(kUnusedUsers.holds(*found));
  EXPECT_NE(*found, geteuid());
  EXPECT_NE(found, find_unused_user()) << "two tracers have two users";
}

}  // namespace
}  // namespace cowtrace::pipeline
