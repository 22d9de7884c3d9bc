// SPDX-License-Identifier: Apache-2.0
// Images of children that inherit what the test has written.
#include "image/memory_image.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "base/units.h"
#include "process/maps.h"
#include "process/pagemap.h"
#include "support/forked_child.h"

namespace cowtrace::image {
namespace {

constexpr std::uint64_t kPages = 4096;
constexpr std::uint64_t kHole = 100,
                        kZero = 101;  // pages that were never there, and that are there and empty

class Image : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "frames are hidden without CAP_SYS_ADMIN";
    void* memory = ::mmap(nullptr, kPages * kPageSize, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    memory_ = static_cast<std::byte*>(memory);
    ::madvise(memory_, kPages * kPageSize, MADV_NOHUGEPAGE);
    for (std::uint64_t page = 0; page < kPages; ++page)
      if (page != kHole) write(page, page);
    std::memset(memory_ + kZero * kPageSize, 0, kPageSize);
  }
  void TearDown() override {
    if (memory_ != nullptr) ::munmap(memory_, kPages * kPageSize);
  }

  // Some pages are noise, which does not become smaller.
  void write(std::uint64_t page, std::uint64_t seed) const {
    std::mt19937_64 random(seed);
    for (std::uint64_t at = 0; at < kPageSize; at += 8) {
      const std::uint64_t word = page % 16 == 0 ? random() : seed * 8 + at % 64;
      std::memcpy(memory_ + page * kPageSize + at, &word, 8);
    }
  }

  [[nodiscard]] std::uint64_t address(std::uint64_t page) const {
    return reinterpret_cast<std::uint64_t>(memory_) + page * kPageSize;
  }

  // Pages whose content in the image is another one than here.
  [[nodiscard]] std::uint64_t different(const MemoryImage& image) const {
    std::uint64_t count = 0;
    for (std::uint64_t page = 0; page < kPages; ++page) {
      const auto bytes = image.bytes(address(page), kPageSize);
      if (!bytes || std::memcmp(bytes->data(), memory_ + page * kPageSize, kPageSize) != 0) ++count;
    }
    return count;
  }

  [[nodiscard]] std::shared_ptr<const MemoryImage> take(pid_t child) {
    auto image = MemoryImage::take(child, modules_, {});
    EXPECT_TRUE(image) << image.error().message();
    return *image;
  }

  // Entries of all pages of `pid`: the kernel may give a page another frame at any time, to make
  // room for a huge page, and an image cannot tell that from a write.
  [[nodiscard]] static std::vector<std::uint64_t> frames(pid_t pid) {
    std::vector<std::uint64_t> entries;
    const auto maps = process::read_maps(pid);
    const auto pagemap = process::Pagemap::open(pid);
    if (!maps || !pagemap) std::abort();
    for (const process::MapsEntry& mapping : *maps) {
      const std::uint64_t pages = (mapping.end - mapping.start) / kPageSize;
      // Address sanitizer reserves terabytes.
      if (pages > kPages * 16) continue;
      std::vector<std::uint64_t> of_mapping(pages);
      if (!pagemap->read(mapping.start / kPageSize, of_mapping)) continue;  // [vsyscall]
      entries.insert(entries.end(), of_mapping.begin(), of_mapping.end());
    }
    return entries;
  }

  std::byte* memory_ = nullptr;
  process::ModuleCache modules_;
};

TEST_F(Image, HasWhatTheProcessHas) {
  const test::ForkedChild child;
  const auto image = take(child.pid());
  EXPECT_FALSE(image->has_page(address(kHole)));
  EXPECT_TRUE(image->has_page(address(kZero)));
  EXPECT_EQ(image->word(address(kHole)), 0u);
  EXPECT_EQ(image->skip_holes(address(kHole), address(kPages)), address(kHole + 1));
  std::uint64_t word = 0;
  std::memcpy(&word, memory_ + 7 * kPageSize + 40, 8);
  EXPECT_EQ(image->word(address(7) + 40), word);
  // Across a border between pages.
  std::memcpy(&word, memory_ + 8 * kPageSize - 4, 8);
  EXPECT_EQ(image->word(address(8) - 4), word);
  EXPECT_EQ(different(*image), 0u);
  EXPECT_FALSE(image->bytes(address(kPages - 1), std::uint64_t{1} << 50));
}

TEST_F(Image, ForgetsWhatItCanHaveAgain) {
  const test::ForkedChild child;
  const auto image = take(child.pid());
  EXPECT_EQ(different(*image), 0u);
  EXPECT_GE(image->bytes_readable(), (kPages - 1) * kPageSize);
  image->forget(std::uint64_t{1} << 40);
  EXPECT_GE(image->bytes_readable(), (kPages - 1) * kPageSize);
  image->forget(0);
  EXPECT_EQ(image->bytes_readable(), 0u);
  EXPECT_EQ(different(*image), 0u);
}

TEST_F(Image, OfALaterForkReadsOnlyWhatHasChanged) {
  const test::ForkedChild first_child;
  constexpr std::uint64_t kChanged[] = {3, 10, 2047};
  for (const std::uint64_t page : kChanged) write(page, page + 1'000'000);
  ::madvise(memory_ + 20 * kPageSize, kPageSize, MADV_DONTNEED);
  // Before any image is taken: what an image keeps would be memory that the second child has and
  // the first has not.
  const test::ForkedChild second_child;
  std::shared_ptr<const MemoryImage> first, second;
  bool moved = true;
  for (int attempt = 0; moved && attempt < 20; ++attempt) {
    const auto before = frames(first_child.pid());
    first = take(first_child.pid());
    EXPECT_GE(first->bytes_read(), (kPages - 1) * kPageSize);
    auto taken = MemoryImage::take_after(first, {}, second_child.pid(), modules_, {});
    ASSERT_TRUE(taken) << taken.error().message();
    second = *taken;
    moved = frames(first_child.pid()) != before;
  }
  ASSERT_FALSE(moved) << "the kernel moves frames all the time";
  // The test itself has some pages that change.
  constexpr std::uint64_t kFew = kPages / 16;
  EXPECT_LT(second->bytes_read(), kFew * kPageSize);
  EXPECT_LT(second->bytes_kept(), kFew * kPageSize);
  EXPECT_GE(second->pages_changed_since(*first), std::size(kChanged));
  EXPECT_LT(second->pages_changed_since(*first), kFew);
  EXPECT_EQ(second->pages_changed_since(*second), 0u);
  EXPECT_EQ(different(*second), 0u);
  EXPECT_FALSE(second->has_page(address(20)));
  // The earlier one is as it was.
  EXPECT_EQ(different(*first), std::size(kChanged) + 1);
}

// Without a fault nobody gets another frame: who knows of such a write says so.
TEST_F(Image, OfALaterForkReadsWhatWasWrittenInPlace) {
  const test::ForkedChild child;
  const auto first = take(child.pid());
  write(5, 77);
  const test::ForkedChild second_child;
  const auto second =
      MemoryImage::take_after(first, {address(5), address(6)}, second_child.pid(), modules_, {});
  ASSERT_TRUE(second) << second.error().message();
  EXPECT_EQ(different(**second), 0u);
  EXPECT_GE((*second)->bytes_read(), 2 * kPageSize);
}

}  // namespace
}  // namespace cowtrace::image
