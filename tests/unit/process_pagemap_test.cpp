// SPDX-License-Identifier: Apache-2.0
// Needs CAP_SYS_ADMIN to see frames; says so and skips without.
#include "process/pagemap.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>

#include "base/units.h"
#include "process/frame_snapshot.h"
#include "process/zero_frames.h"
#include "support/forked_child.h"

namespace cowtrace::process {
namespace {

class Memory {
 public:
  explicit Memory(std::size_t pages, int flags = MAP_PRIVATE) : size_(pages * kPageSize) {
    void* memory = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                          flags | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    start_ = static_cast<char*>(memory);
    ::madvise(memory, size_, MADV_NOHUGEPAGE);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() { ::munmap(start_, size_); }
  void touch(std::size_t first, std::size_t count) {
    for (std::size_t i = first; i < first + count; ++i) start_[i * kPageSize] = 1;
  }
  [[nodiscard]] std::uint64_t at(std::size_t page) const {
    return reinterpret_cast<std::uint64_t>(start_) + page * kPageSize;
  }

 private:
  std::size_t size_;
  char* start_ = nullptr;
};

FrameSnapshot::Limits limits_here() {
  const ZeroFrames zero = find_zero_frames();
  FrameSnapshot::Limits limits;
  limits.zero_frame = zero.page;
  limits.huge_zero_frame = zero.huge_page;
  return limits;
}

#define NEED_FRAMES() \
  if (::geteuid() != 0) GTEST_SKIP() << "frames are hidden without CAP_SYS_ADMIN"

TEST(PageEntry, DecodesEveryBit) {
  const PageEntry entry{(std::uint64_t{1} << 63) | (std::uint64_t{1} << 56) | 0x1234};
  EXPECT_TRUE(entry.present() && entry.exclusive());
  EXPECT_FALSE(entry.swapped() || entry.file_or_shared());
  EXPECT_EQ(entry.frame(), 0x1234u);
  const PageEntry swapped{(std::uint64_t{1} << 62) | (std::uint64_t{1} << 61) | 0x99};
  EXPECT_TRUE(swapped.swapped() && swapped.file_or_shared());
  EXPECT_FALSE(swapped.present());
  EXPECT_EQ(swapped.frame(), 0u);
}

TEST(Pagemap, ShowsWhatIsPresent) {
  Memory memory(8);
  memory.touch(2, 3);
  const auto pagemap = Pagemap::open(::getpid());
  ASSERT_TRUE(pagemap) << pagemap.error().message();
  std::array<std::uint64_t, 8> entries = {};
  const auto got = pagemap->read(memory.at(0) / kPageSize, entries);
  ASSERT_TRUE(got);
  ASSERT_EQ(*got, 8u);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(PageEntry{entries[i]}.present(), i >= 2 && i < 5) << i;
    if (i >= 2 && i < 5) {
      EXPECT_TRUE(PageEntry{entries[i]}.exclusive()) << i;
    }
  }
  EXPECT_EQ(*pagemap->read(std::uint64_t{1} << 40, entries), 0u);
  EXPECT_FALSE(pagemap->read(UINT64_MAX, entries));
  EXPECT_FALSE(Pagemap::open(0x7ffffff0));
}

TEST(Pagemap, ScansHugeEmptyRanges) {
  constexpr std::size_t kPages = std::size_t{1} << 28;  // a tebibyte
  Memory memory(kPages);
  memory.touch(1000, 5);
  memory.touch(1010, 1);
  memory.touch(kPages / 2, 700);
  const auto pagemap = Pagemap::open(::getpid());
  ASSERT_TRUE(pagemap);
  std::vector<PageRange> ranges;
  const std::uint64_t first = memory.at(0) / kPageSize;
  const auto scanned = pagemap->scan_present({first, first + kPages}, ranges);
  ASSERT_TRUE(scanned) << scanned.error().message();
  if (!*scanned) GTEST_SKIP() << "this kernel has no PAGEMAP_SCAN";
  ASSERT_EQ(ranges.size(), 2u);
  EXPECT_EQ(ranges[0], (PageRange{first + 1000, first + 1011}));
  EXPECT_EQ(ranges[1], (PageRange{first + kPages / 2, first + kPages / 2 + 700}));

  NEED_FRAMES();
  const auto snapshot = FrameSnapshot::take(::getpid(), limits_here());
  ASSERT_TRUE(snapshot) << snapshot.error().message();
  EXPECT_TRUE(snapshot->frame_at(memory.at(1010)));
  EXPECT_FALSE(snapshot->frame_at(memory.at(1009)));
  EXPECT_TRUE(snapshot->frame_at(memory.at(kPages / 2 + 699)));
}

TEST(FrameSnapshot, HoldsPrivateAnonymousPagesOnly) {
  NEED_FRAMES();
  Memory memory(300);
  Memory shared(4, MAP_SHARED);
  memory.touch(0, 100);
  memory.touch(101, 1);
  memory.touch(250, 50);
  shared.touch(0, 4);
  const auto snapshot = FrameSnapshot::take(::getpid(), limits_here());
  ASSERT_TRUE(snapshot) << snapshot.error().message();
  for (std::size_t i = 0; i < 300; ++i) {
    EXPECT_EQ(snapshot->frame_at(memory.at(i) + 17).has_value(), i < 100 || i == 101 || i >= 250)
        << i;
  }
  EXPECT_FALSE(snapshot->frame_at(shared.at(0)));
  EXPECT_FALSE(snapshot->frame_at(0));
  EXPECT_FALSE(snapshot->frame_at(UINT64_MAX));

  const auto pagemap = Pagemap::open(::getpid());
  std::uint64_t entry = 0;
  ASSERT_EQ(*pagemap->read(memory.at(101) / kPageSize, std::span(&entry, 1)), 1u);
  EXPECT_EQ(snapshot->frame_at(memory.at(101))->raw, entry);

  std::uint64_t seen = 0;
  std::uint64_t last = 0;
  snapshot->for_each([&](std::uint64_t address, PageEntry one) {
    EXPECT_GT(address, last);
    EXPECT_TRUE(one.present() && !one.file_or_shared());
    last = address;
    ++seen;
  });
  EXPECT_EQ(seen, snapshot->pages());
}

TEST(FrameSnapshot, SkipsTheZeroPage) {
  NEED_FRAMES();
  const auto limits = limits_here();
  if (limits.zero_frame == 0) GTEST_SKIP() << "this kernel maps no zero page";
  Memory memory(4);
  static_cast<void>(*reinterpret_cast<const volatile char*>(memory.at(0)));
  memory.touch(1, 1);
  const auto snapshot = FrameSnapshot::take(::getpid(), limits);
  ASSERT_TRUE(snapshot);
  EXPECT_FALSE(snapshot->frame_at(memory.at(0)));
  EXPECT_TRUE(snapshot->frame_at(memory.at(1)));
  auto blind = limits;
  blind.zero_frame = 0;
  EXPECT_TRUE(FrameSnapshot::take(::getpid(), blind)->frame_at(memory.at(0)));
}

TEST(FrameSnapshot, LeavesOutAGivenFrame) {
  NEED_FRAMES();
  Memory memory(2);
  memory.touch(0, 2);
  const auto first = FrameSnapshot::take(::getpid(), {});
  ASSERT_TRUE(first && first->frame_at(memory.at(0)));
  FrameSnapshot::Limits limits;
  limits.zero_frame = first->frame_at(memory.at(0))->frame();
  const auto second = FrameSnapshot::take(::getpid(), limits);
  ASSERT_TRUE(second);
  EXPECT_FALSE(second->frame_at(memory.at(0)));
  EXPECT_TRUE(second->frame_at(memory.at(1)));
}

TEST(FrameSnapshot, TellsWhichFramesAChildShares) {
  NEED_FRAMES();
  Memory memory(64);
  memory.touch(0, 64);
  const test::ForkedChild child;
  memory.touch(10, 5);  // the parent gets frames of its own for these
  const auto parent = FrameSnapshot::take(::getpid(), limits_here());
  const auto inherited = FrameSnapshot::take(child.pid(), limits_here());
  ASSERT_TRUE(parent && inherited);
  for (std::size_t i = 0; i < 64; ++i) {
    const auto ours = parent->frame_at(memory.at(i));
    const auto theirs = inherited->frame_at(memory.at(i));
    ASSERT_TRUE(ours && theirs);
    EXPECT_EQ(ours->frame() == theirs->frame(), i < 10 || i >= 15) << i;
    if (i < 10 || i >= 15) {
      EXPECT_FALSE(theirs->exclusive()) << i;
    }
  }
}

TEST(FrameSnapshot, KeepsToItsBudgets) {
  NEED_FRAMES();
  Memory memory(1000);
  memory.touch(0, 1000);
  FrameSnapshot::Limits limits;
  limits.max_pages_examined = 500;
  const auto looked = FrameSnapshot::take(::getpid(), limits);
  ASSERT_FALSE(looked);
  EXPECT_EQ(looked.error().why,
            "the process is larger than the budget of 500 pages of address space");
  limits = {};
  limits.max_bytes = 4096;
  const auto stored = FrameSnapshot::take(::getpid(), limits);
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().why, "the process is larger than the budget of 4,096 bytes of snapshot");
}

TEST(FrameSnapshot, IsQuickAndSmall) {
  NEED_FRAMES();
  constexpr std::size_t kPages = 100'000;
  Memory memory(kPages);
  memory.touch(0, kPages);
  const auto limits = limits_here();
  auto best = std::chrono::nanoseconds::max();
  std::uint64_t bytes = 0;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const auto snapshot = FrameSnapshot::take(::getpid(), limits);
    best = std::min<std::chrono::nanoseconds>(best, std::chrono::steady_clock::now() - start);
    ASSERT_TRUE(snapshot);
    ASSERT_GE(snapshot->pages(), kPages);
    bytes = snapshot->bytes_used() / snapshot->pages();
  }
  RecordProperty("best_us", static_cast<int>(best.count() / 1000));
  EXPECT_LE(bytes, 24u);
  EXPECT_LT(best, std::chrono::milliseconds(200)) << "a generous bound: sanitizers, busy machines";
}

}  // namespace
}  // namespace cowtrace::process
