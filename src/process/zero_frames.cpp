// SPDX-License-Identifier: Apache-2.0
#include "process/zero_frames.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>

#include "base/units.h"
#include "process/pagemap.h"

namespace cowtrace::process {
namespace {

constexpr std::size_t kHugePage = 512 * kPageSize;

// Two aligned blocks of memory that nobody has touched, for as long as it lives.
class Untouched {
 public:
  Untouched(std::size_t block, int advice) : block_(block), size_(3 * block) {
    memory_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ != MAP_FAILED) ::madvise(memory_, size_, advice);
  }
  Untouched(const Untouched&) = delete;
  Untouched& operator=(const Untouched&) = delete;
  ~Untouched() {
    if (memory_ != MAP_FAILED) ::munmap(memory_, size_);
  }

  // The frame that both blocks have after they were read; 0 if they differ.
  [[nodiscard]] std::uint64_t common_frame() const {
    const auto pagemap = Pagemap::open(::getpid());
    if (memory_ == MAP_FAILED || !pagemap) return 0;
    const std::uint64_t misaligned = reinterpret_cast<std::uint64_t>(memory_) % block_;
    const char* first = static_cast<const char*>(memory_) + (block_ - misaligned) % block_;
    const std::uint64_t one = frame_after_reading(*pagemap, first);
    const std::uint64_t other = frame_after_reading(*pagemap, first + block_);
    return one == other ? one : 0;
  }

 private:
  static std::uint64_t frame_after_reading(const Pagemap& pagemap, const volatile char* address) {
    static_cast<void>(*address);
    std::uint64_t entry = 0;
    const auto got =
        pagemap.read(reinterpret_cast<std::uint64_t>(address) / kPageSize, std::span(&entry, 1));
    return got && *got == 1 ? PageEntry{entry}.frame() : 0;
  }

  std::size_t block_;
  std::size_t size_;
  void* memory_;
};

}  // namespace

ZeroFrames find_zero_frames() {
  ZeroFrames frames;
  frames.page = Untouched(kPageSize, MADV_NOHUGEPAGE).common_frame();
  frames.huge_page = Untouched(kHugePage, MADV_HUGEPAGE).common_frame();
  // Without huge pages the small zero page backs the large blocks too.
  if (frames.huge_page == frames.page || frames.huge_page % (kHugePage / kPageSize) != 0) {
    frames.huge_page = 0;
  }
  return frames;
}

}  // namespace cowtrace::process
