// SPDX-License-Identifier: Apache-2.0
#include "capture/buffer_sizes.h"

#include <gtest/gtest.h>

#include <bit>

namespace cowtrace::capture {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

TEST(BufferSizes, AreTheSameOnEveryMachineThatHasEnough) {
  EXPECT_EQ(usual_buffer_sizes(2, std::nullopt), (BufferSizes{64 * kMiB, 8 * kMiB, 8 * kMiB}));
  EXPECT_EQ(usual_buffer_sizes(2, std::uint64_t{1} << 40), usual_buffer_sizes(2, std::nullopt));
  EXPECT_EQ(usual_buffer_sizes(2, 640 * kMiB), usual_buffer_sizes(2, std::nullopt));
  EXPECT_EQ(usual_buffer_sizes(8, std::nullopt).copies, 32 * kMiB);
  EXPECT_EQ(usual_buffer_sizes(1000, std::nullopt).copies, 64 * kMiB);
}

TEST(BufferSizes, AreAnEighthOfWhatIsAvailableAtMost) {
  for (const std::uint32_t cpus : {1U, 2U, 16U, 64U}) {
    for (std::uint64_t available = 24 * kMiB; available < 2048 * kMiB; available += 7 * kMiB) {
      const BufferSizes sizes = usual_buffer_sizes(cpus, available);
      EXPECT_LE(sizes.sum(), available / 8) << available;
      // No smaller than it has to be: each step halves the largest.
      if (sizes != usual_buffer_sizes(cpus, std::nullopt)) {
        EXPECT_GT(sizes.sum(), available / 32) << available;
      }
      for (const std::uint64_t size : {sizes.breaks, sizes.copies, sizes.control}) {
        EXPECT_TRUE(std::has_single_bit(size));
        EXPECT_GE(size, kMiB);
      }
    }
  }
}

TEST(BufferSizes, OfASmallGuest) {
  // 256 MiB, of which 180 are available.
  EXPECT_EQ(usual_buffer_sizes(2, 180 * kMiB).sum(), 20 * kMiB);
}

TEST(BufferSizes, HaveALeast) {
  EXPECT_EQ(usual_buffer_sizes(64, 0), (BufferSizes{kMiB, kMiB, kMiB}));
  EXPECT_EQ(usual_buffer_sizes(1, kMiB), (BufferSizes{kMiB, kMiB, kMiB}));
}

TEST(BufferSizes, ThatAreAskedForAreRoundedUp) {
  EXPECT_EQ(ring_size(1), 4096U);
  EXPECT_EQ(ring_size(65 * kMiB), 128 * kMiB);
  EXPECT_EQ(ring_size(UINT64_MAX), 1024 * kMiB);
}

}  // namespace
}  // namespace cowtrace::capture
