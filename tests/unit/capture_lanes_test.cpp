// SPDX-License-Identifier: Apache-2.0
#include "capture/lanes.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "base/fd.h"

namespace cowtrace::capture {
namespace {

// What the BPF map is for the kernel: memory behind a file descriptor, here with this test in the
// place of the BPF programs.
class LanesTest : public testing::Test {
 protected:
  static constexpr std::size_t kCpus = 3;

  void SetUp() override {
    fd_ = Fd(memfd_create("lanes", MFD_CLOEXEC));
    ASSERT_TRUE(fd_);
    ASSERT_EQ(ftruncate(fd_.get(), kCpus * sizeof(cowtrace_lane)), 0);
    void* memory = mmap(nullptr, kCpus * sizeof(cowtrace_lane), PROT_READ | PROT_WRITE, MAP_SHARED,
                        fd_.get(), 0);
    ASSERT_NE(memory, MAP_FAILED);
    kernel_ = static_cast<cowtrace_lane*>(memory);
    auto lanes = Lanes::map(fd_.get(), kCpus);
    ASSERT_TRUE(lanes);
    lanes_ = std::move(*lanes);
  }
  void TearDown() override {
    if (kernel_ != nullptr) munmap(kernel_, kCpus * sizeof(cowtrace_lane));
  }

  std::uint64_t take_slot(std::size_t cpu) { return kernel_[cpu].head++; }
  void fill_slot(std::size_t cpu, std::uint64_t number, std::uint64_t value) {
    cowtrace_slot& slot = kernel_[cpu].slots[number % COWTRACE_LANE_SLOTS];
    std::memcpy(slot.event, &value, sizeof(value));
    slot.turn = number + 1;
  }
  void put(std::size_t cpu, std::uint64_t value) { fill_slot(cpu, take_slot(cpu), value); }

  std::vector<std::uint64_t> drain() {
    std::vector<std::uint64_t> values;
    lanes_.drain([&](std::span<const std::byte> bytes) {
      EXPECT_EQ(bytes.size(), sizeof(cowtrace_resolution));
      std::memcpy(&values.emplace_back(), bytes.data(), sizeof(std::uint64_t));
    });
    return values;
  }

  Fd fd_;
  cowtrace_lane* kernel_ = nullptr;
  Lanes lanes_;
};

using Values = std::vector<std::uint64_t>;

TEST_F(LanesTest, EachLaneIsReadInItsOrderAndOnce) {
  put(0, 1);
  put(2, 7);
  put(0, 2);
  put(2, 8);
  EXPECT_EQ(drain(), (Values{1, 2, 7, 8}));
  EXPECT_EQ(drain(), Values{});
  put(1, 5);
  EXPECT_EQ(drain(), Values{5});
}

TEST_F(LanesTest, ASlotThatIsNotWholeIsWaitedFor) {
  put(0, 1);
  const std::uint64_t half = take_slot(0);
  put(0, 3);
  put(1, 9);
  EXPECT_EQ(drain(), (Values{1, 9}));
  EXPECT_EQ(kernel_[0].tail, half);
  fill_slot(0, half, 2);
  EXPECT_EQ(drain(), (Values{2, 3}));
}

TEST_F(LanesTest, GoesRoundAndRoundAndGivesTheRoomBack) {
  std::uint64_t next = 0, expected = 0;
  for (std::size_t burst = 1; next < 5 * COWTRACE_LANE_SLOTS;
       burst = burst * 7 % COWTRACE_LANE_SLOTS + 1) {
    for (std::size_t i = 0; i < burst; ++i) put(1, next++);
    for (const std::uint64_t value : drain()) ASSERT_EQ(value, expected++);
    ASSERT_EQ(expected, next);
    ASSERT_EQ(kernel_[1].tail, kernel_[1].head);
  }
}

// The turn of a slot's last round is not this round's.
TEST_F(LanesTest, AnOldTurnIsNotTakenForANewOne) {
  for (std::uint64_t i = 0; i < COWTRACE_LANE_SLOTS; ++i) put(0, i);
  EXPECT_EQ(drain().size(), COWTRACE_LANE_SLOTS);
  take_slot(0);
  EXPECT_EQ(drain(), Values{});
}

TEST_F(LanesTest, ShowsTheCountersOfEachCpu) {
  kernel_[0].counters.lost = 3;
  kernel_[2].counters.lost = 4;
  std::uint64_t lost = 0;
  for (const cowtrace_lane& lane : lanes_.all()) lost += lane.counters.lost;
  EXPECT_EQ(lost, 7u);
}

TEST(Lanes, WithoutAMapIsAnError) {
  EXPECT_FALSE(Lanes::map(-1, 1));
  EXPECT_TRUE(Lanes().all().empty());
}

}  // namespace
}  // namespace cowtrace::capture
