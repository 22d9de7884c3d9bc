// SPDX-License-Identifier: Apache-2.0
#include "process/cgroup_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace cowtrace {
namespace {

using process::memory_limit_files;
using process::parse_memory_limit;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* kVersion2 =
    "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

TEST(ProcessCgroupMemory, EachGroupAboveIsLookedAt) {
  EXPECT_THAT(memory_limit_files("0::/system.slice/web.service\n", kVersion2),
              ElementsAre("/sys/fs/cgroup/system.slice/web.service/memory.max",
                          "/sys/fs/cgroup/system.slice/memory.max", "/sys/fs/cgroup/memory.max"));
}

TEST(ProcessCgroupMemory, TheTopGroupIsOne) {
  EXPECT_THAT(memory_limit_files("0::/\n", kVersion2), ElementsAre("/sys/fs/cgroup/memory.max"));
}

TEST(ProcessCgroupMemory, Version1HasAHierarchyForMemory) {
  const char* mounts =
      "30 29 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
      "31 29 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
      "32 29 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
  EXPECT_THAT(
      memory_limit_files("4:memory:/a:b\n1:cpu,cpuacct:/c\n0::/d\n", mounts),
      ElementsAre("/sys/fs/cgroup/memory/a:b/memory.limit_in_bytes",
                  "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                  "/sys/fs/cgroup/unified/d/memory.max", "/sys/fs/cgroup/unified/memory.max"));
}

TEST(ProcessCgroupMemory, InAContainerAGroupBelowTheTopIsMounted) {
  const char* mounts = "29 23 0:26 /pod/1 /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n";
  EXPECT_THAT(memory_limit_files("0::/pod/1/app", mounts),
              ElementsAre("/sys/fs/cgroup/app/memory.max", "/sys/fs/cgroup/memory.max"));
  EXPECT_THAT(memory_limit_files("0::/elsewhere", mounts), IsEmpty());
}

TEST(ProcessCgroupMemory, NonsenseHasNoFiles) {
  EXPECT_THAT(memory_limit_files("", ""), IsEmpty());
  EXPECT_THAT(memory_limit_files("0:", kVersion2), IsEmpty());
  EXPECT_THAT(memory_limit_files("0::/a", "- cgroup2 x y\n29 23 0:26 / /sys - cgroup2\n"),
              IsEmpty());
}

TEST(ProcessCgroupMemory, GroupsWithoutEndAreCut) {
  std::string deep = "0::";
  for (int i = 0; i < 10'000; ++i) deep += "/a";
  EXPECT_EQ(memory_limit_files(deep, kVersion2).size(), 64U);
}

TEST(ProcessCgroupMemory, LimitsAreNumbers) {
  EXPECT_EQ(parse_memory_limit("536870912\n"), 536870912U);
  EXPECT_EQ(parse_memory_limit("max\n"), std::nullopt);
  EXPECT_EQ(parse_memory_limit(""), std::nullopt);
  EXPECT_EQ(parse_memory_limit("12x"), std::nullopt);
  EXPECT_EQ(process::parse_total_memory("MemTotal:       24576000 kB\nMemFree: 1 kB\n"),
            std::uint64_t{24576000} * 1024);
  EXPECT_EQ(process::parse_total_memory("MemFree: 1 kB\n"), std::nullopt);
}

TEST(ProcessCgroupMemory, WhatIsLeftOfALimit) {
  using process::left_of_limit;
  EXPECT_EQ(left_of_limit(1000, 400, ""), 600U);
  // Files that nobody uses are as good as free, in both versions.
  EXPECT_EQ(left_of_limit(1000, 900, "anon 200\ninactive_file 300\nactive_file 50\n"), 400U);
  EXPECT_EQ(left_of_limit(1000, 900, "inactive_file 10\ntotal_inactive_file 300\n"), 400U);
  EXPECT_EQ(left_of_limit(1000, 1200, ""), 0U);
  EXPECT_EQ(left_of_limit(1000, 100, "inactive_file 500"), 1000U);
  // No limit at all, as version 1 writes it.
  EXPECT_EQ(left_of_limit(INT64_MAX, 0, "nonsense\n"), static_cast<std::uint64_t>(INT64_MAX));
}

TEST(ProcessCgroupMemory, WhatIsAvailable) {
  EXPECT_EQ(
      process::parse_memory_field("MemTotal: 5 kB\nMemAvailable:    20 kB\n", "MemAvailable:"),
      20U * 1024);
  const auto available = process::available_memory();
  ASSERT_TRUE(available);
  EXPECT_GT(*available, 1U << 20);
  EXPECT_LE(*available, process::memory_limit(getpid())->bytes);
}

TEST(ProcessCgroupMemory, ThisProcessHasALimit) {
  const auto limit = process::memory_limit(getpid());
  ASSERT_TRUE(limit);
  EXPECT_GT(limit->bytes, 1U << 20);
  EXPECT_FALSE(limit->of.empty());
}

}  // namespace
}  // namespace cowtrace
