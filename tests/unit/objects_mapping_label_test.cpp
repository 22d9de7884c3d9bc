// SPDX-License-Identifier: Apache-2.0
#include "objects/mapping_label.h"

#include <gtest/gtest.h>

namespace cowtrace::objects {
namespace {

TEST(MappingLabel, NamesAsProcMapsDoes) {
  model::Mapping mapping;
  mapping.start = 0x10000;
  mapping.end = 0x20000;
  EXPECT_EQ(mapping_label(mapping), "[anon]");
  mapping.name = "arena";
  EXPECT_EQ(mapping_label(mapping), "[anon:arena]");
  mapping.stack_start = 0x1fff0;
  EXPECT_EQ(mapping_label(mapping), "[stack]");
  mapping.brk_start = 0x18000;
  mapping.brk_end = 0x30000;
  EXPECT_EQ(mapping_label(mapping), "[heap]");
  mapping.inode = 5;
  mapping.name = "libc.so.6";
  EXPECT_EQ(mapping_label(mapping), "libc.so.6");
  mapping.path = "/usr/lib/libc.so.6";
  EXPECT_EQ(mapping_label(mapping), "/usr/lib/libc.so.6");
}

TEST(MappingLabel, AnEmptyBreakIsNoHeap) {
  model::Mapping mapping;
  mapping.start = 0x10000;
  mapping.end = 0x20000;
  mapping.brk_start = mapping.brk_end = 0x20000;
  EXPECT_EQ(mapping_label(mapping), "[anon]");
}

}  // namespace
}  // namespace cowtrace::objects
