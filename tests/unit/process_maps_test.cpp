// SPDX-License-Identifier: Apache-2.0
#include "process/maps.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <random>
#include <string>

namespace cowtrace::process {
namespace {

TEST(Maps, ReadsEveryField) {
  const auto maps = parse_maps(
      "55d0c0a00000-55d0c0a22000 r-xp 00002000 fe:01 1311                       /usr/bin/cat\n"
      "7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]\n");
  ASSERT_TRUE(maps) << maps.error().message();
  ASSERT_EQ(maps->size(), 2u);
  const MapsEntry& cat = maps->front();
  EXPECT_EQ(cat.start, 0x55d0c0a00000u);
  EXPECT_EQ(cat.end, 0x55d0c0a22000u);
  EXPECT_TRUE(cat.readable() && cat.executable());
  EXPECT_FALSE(cat.writable() || cat.shared() || cat.deleted);
  EXPECT_EQ(cat.offset, 0x2000u);
  EXPECT_EQ(cat.device, makedev(0xfe, 1));
  EXPECT_EQ(cat.inode, 1311u);
  EXPECT_EQ(cat.path, "/usr/bin/cat");
  EXPECT_TRUE(cat.is_file());
  EXPECT_EQ(maps->back().path, "[stack]");
  EXPECT_FALSE(maps->back().is_file());
}

TEST(Maps, KeepsOddNames) {
  const auto maps = parse_maps(
      "1000-2000 rw-s 00000000 00:01 7 /dev/shm/two words (deleted)\n"
      "2000-3000 rw-p 00000000 00:01 8 /tmp/line\\012break\\134\n"
      "3000-4000 rw-p 00000000 00:00 0 [anon:a b (deleted)]\n"
      "4000-5000 ---p 00000000 00:00 0 \n"
      "5000-6000 ---p 00000000 00:00 0");
  ASSERT_TRUE(maps) << maps.error().message();
  ASSERT_EQ(maps->size(), 5u);
  EXPECT_EQ((*maps)[0].path, "/dev/shm/two words");
  EXPECT_TRUE((*maps)[0].deleted);
  EXPECT_TRUE((*maps)[0].shared());
  EXPECT_EQ((*maps)[1].path, "/tmp/line\nbreak\\134");
  EXPECT_EQ((*maps)[2].path, "[anon:a b (deleted)]");
  EXPECT_FALSE((*maps)[2].deleted);
  EXPECT_EQ((*maps)[3].path, "");
  EXPECT_EQ((*maps)[4].path, "");
}

TEST(Maps, RefusesHostileLines) {
  const std::string good = "1000-2000 rw-p 00000000 00:00 0 \n";
  EXPECT_TRUE(parse_maps(""));
  EXPECT_TRUE(parse_maps(good));
  for (const char* line :
       {"\n", "x", "1000", "1000-", "1000-2000", "1000-2000 rw-p", "2000-1000 rw-p 0 00:00 0 ",
        "1000-1000 rw-p 0 00:00 0 ", "1001-2000 rw-p 0 00:00 0 ", "1000-2000 rwzp 0 00:00 0 ",
        "1000-2000 rw-x 0 00:00 0 ", "1000-2000 rw-p 0 00:00 0garbage", "1000-2000 rw-p 0 0000 0 ",
        "1000-2000 rw-p 0 00:00 99999999999999999999999 ", "11111111111111111-2000 rw-p 0 00:00 0 ",
        "1000-2000 rw-p 0 123456789a:00 0 ", "-1000-2000 rw-p 0 00:00 0 ",
        " 1000-2000 rw-p 0 00:00 0 "}) {
    const auto maps = parse_maps(line);
    EXPECT_FALSE(maps) << line;
    if (!maps) {
      EXPECT_EQ(maps.error().why, "line 1 is not a mapping") << line;
    }
  }
  const auto backwards = parse_maps(good + good);
  ASSERT_FALSE(backwards);
  EXPECT_EQ(backwards.error().why, "line 2 goes backwards");
}

TEST(Maps, RandomBytesNeverCrash) {
  std::mt19937 random(20240601);
  const std::string seed = "7f0000001000-7f0000002000 rw-p 00000000 fe:00 123 /lib/x (deleted)\n";
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text = seed + seed;
    for (int i = 0; i < 3; ++i) text[random() % text.size()] = static_cast<char>(random());
    text.resize(random() % (text.size() + 1));
    const auto maps = parse_maps(text);
    accepted += maps.has_value() ? 1 : 0;
    if (!maps) continue;
    for (const MapsEntry& entry : *maps) ASSERT_LT(entry.start, entry.end);
  }
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, 20000);
}

TEST(Maps, FindsOurOwn) {
  const auto maps = read_maps(::getpid());
  ASSERT_TRUE(maps) << maps.error().message();
  const int on_stack = 0;
  const auto* stack = find_mapping(*maps, reinterpret_cast<std::uint64_t>(&on_stack));
  ASSERT_NE(stack, nullptr);
  EXPECT_EQ(stack->path, "[stack]");
  const auto* code = find_mapping(*maps, reinterpret_cast<std::uint64_t>(&parse_maps));
  ASSERT_NE(code, nullptr);
  EXPECT_TRUE(code->executable());
  struct stat about = {};
  ASSERT_EQ(::stat("/proc/self/exe", &about), 0);
  EXPECT_EQ(code->inode, about.st_ino);
  EXPECT_EQ(code->device, about.st_dev);
  EXPECT_EQ(find_mapping(*maps, 0), nullptr);
  EXPECT_EQ(find_mapping(*maps, UINT64_MAX), nullptr);
  EXPECT_FALSE(read_maps(0x7ffffff0));
}

}  // namespace
}  // namespace cowtrace::process
