// SPDX-License-Identifier: Apache-2.0
#include "capture/ring.h"

#include <gtest/gtest.h>

namespace cowtrace {
namespace {

constexpr std::uint64_t kCapacity = 4096;

TEST(RingShare, AFullRingIsTakenWhole) {
  capture::RingShare share(kCapacity);
  share.begin();
  // 56 bytes and a header of 8: 64 of them fit.
  for (int i = 1; i < 64; ++i) EXPECT_TRUE(share.take(56)) << i;
  EXPECT_FALSE(share.take(56));
}

TEST(RingShare, RecordsTakeWhatTheKernelGivesThem) {
  capture::RingShare share(kCapacity);
  share.begin();
  for (int i = 1; i < 256; ++i) EXPECT_TRUE(share.take(1)) << i;  // 16 bytes each
  EXPECT_FALSE(share.take(1));
}

TEST(RingShare, EachDrainHasItsOwn) {
  capture::RingShare share(kCapacity);
  share.begin();
  EXPECT_FALSE(share.take(2 * kCapacity));
  EXPECT_FALSE(share.take(8));
  share.begin();
  EXPECT_TRUE(share.take(8));
}

}  // namespace
}  // namespace cowtrace
