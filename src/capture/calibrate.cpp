// SPDX-License-Identifier: Apache-2.0
#include "capture/calibrate.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "abi/config.h"
#include "base/fd.h"
#include "base/units.h"
#include "cowtrace.skel.h"

namespace cowtrace::capture {
namespace {

constexpr std::uint64_t kPresent = 1;
constexpr std::uint64_t kFrameBits = COWTRACE_FRAME_BITS;
constexpr std::uint64_t kGigabyte = std::uint64_t{1} << 30;
// The direct map spans at most 64 TiB with four levels; more is not looked through.
constexpr std::uint64_t kMostCandidates = 64 * 1024;

using Words = std::array<std::uint64_t, COWTRACE_PEEK_WORDS>;

// Anonymous memory of our own, without huge pages, and the frames behind it.
class OwnPages {
 public:
  explicit OwnPages(std::size_t pages) : size_(pages * kPageSize) {
    void* memory = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return;
    memory_ = static_cast<unsigned char*>(memory);
    madvise(memory_, size_, MADV_NOHUGEPAGE);
  }
  OwnPages(const OwnPages&) = delete;
  OwnPages& operator=(const OwnPages&) = delete;
  ~OwnPages() {
    if (memory_ != nullptr) munmap(memory_, size_);
  }

  [[nodiscard]] bool ok() const { return memory_ != nullptr; }
  [[nodiscard]] unsigned char* page(std::size_t index) const { return memory_ + index * kPageSize; }
  [[nodiscard]] std::uint64_t address(std::size_t index) const {
    return reinterpret_cast<std::uint64_t>(page(index));
  }
  // 0: absent, or the kernel hides it.
  [[nodiscard]] std::uint64_t frame(std::size_t index) const {
    std::uint64_t entry = 0;
    const auto offset = static_cast<off_t>(address(index) / kPageSize * sizeof(entry));
    if (pread(pagemap_.get(), &entry, sizeof(entry), offset) != sizeof(entry)) return 0;
    const bool present = (entry >> 63) != 0;
    return present ? entry & ((std::uint64_t{1} << 55) - 1) : 0;
  }

 private:
  std::size_t size_;
  unsigned char* memory_ = nullptr;
  Fd pagemap_{open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)};
};

// Reads kernel memory through the peek program.
class Kernel {
 public:
  explicit Kernel(cowtrace_bpf& skeleton) : skeleton_(skeleton) {}

  std::optional<Words> read(std::uint64_t address) {
    shown().address = address;
    if (!run() || shown().failed != 0) return std::nullopt;
    Words words{};
    static_assert(sizeof(words) == sizeof(shown().words));
    std::memcpy(words.data(), shown().words, sizeof(words));
    return words;
  }
  // Of this process.
  std::uint64_t pgd() {
    run();
    return shown().pgd;
  }
  std::uint32_t page_struct() { return shown().page_struct; }
  std::uint64_t pid_namespace() { return shown().pid_namespace; }
  std::uint32_t pid_level() { return shown().pid_level; }

  // The struct page addresses of single pages that `body` made the kernel allocate for this thread.
  template <typename Body>
  std::vector<std::uint64_t> allocations_during(Body body) {
    bpf_link* link = bpf_program__attach(skeleton_.progs.on_allocation);
    if (link == nullptr) return {};
    shown().allocation_count = 0;
    shown().watched_task = shown().task;  // ours, since pgd() was asked for
    body();
    shown().watched_task = 0;
    bpf_link__destroy(link);
    const auto* first = shown().allocations;
    return {first, first + std::min<std::size_t>(shown().allocation_count, COWTRACE_ALLOCATIONS)};
  }

 private:
  cowtrace_peek& shown() { return skeleton_.bss->shown; }
  bool run() {
    bpf_test_run_opts options{};
    options.sz = sizeof(options);
    return bpf_prog_test_run_opts(bpf_program__fd(skeleton_.progs.peek), &options) == 0;
  }
  cowtrace_bpf& skeleton_;
};

// The frame that our own page tables give for `address`, or nullopt. Leaves the entry's raw bits in
// `entry`.
std::optional<std::uint64_t> walk(Kernel& kernel, std::uint64_t direct_map, std::uint32_t levels,
                                  std::uint64_t mask, std::uint64_t address, std::uint64_t& entry) {
  std::uint64_t table = kernel.pgd();
  for (std::uint32_t level = levels; level >= 1; --level) {
    const std::uint32_t shift = 12 + 9 * (level - 1);
    const auto words = kernel.read(table + ((address >> shift) & 511) * 8);
    if (!words) return std::nullopt;
    entry = (*words)[0];
    if ((entry & kPresent) == 0) return std::nullopt;
    table = direct_map + (entry & mask);
  }
  return (entry & mask) >> 12;
}

// The direct map starts at a multiple of 1 GiB at or below our own top-level table, which lies in
// it.
std::uint64_t find_direct_map(Kernel& kernel, const OwnPages& pages) {
  const std::uint64_t frame = pages.frame(0);
  Words pattern{};
  std::memcpy(pattern.data(), pages.page(0), sizeof(pattern));
  const std::uint64_t top = kernel.pgd() & ~(kGigabyte - 1);
  for (std::uint64_t step = 0; step < kMostCandidates; ++step) {
    const std::uint64_t base = top - step * kGigabyte;
    if (base < 0xff00000000000000) break;
    if (kernel.read(base + frame * kPageSize) == pattern) return base;
  }
  return 0;
}

// Fills levels and frame_mask; false if no combination gives the frames that pagemap tells.
bool verify_walk(Kernel& kernel, const OwnPages& pages, Calibration& result) {
  for (const std::uint32_t levels : {4U, 5U}) {
    std::uint64_t mask = kFrameBits;
    std::uint64_t entry = 0;
    // Memory encryption (SME, SEV) sets one more bit in each entry: tables cannot be followed
    // before it is known, and it is a high one.
    for (std::uint32_t bit = 52; bit >= 46; --bit) {
      if (bit < 52) mask = kFrameBits & ~(std::uint64_t{1} << bit);
      const auto first = walk(kernel, result.direct_map, levels, mask, pages.address(0), entry);
      const auto second = walk(kernel, result.direct_map, levels, mask, pages.address(1), entry);
      if (first && second && *first == pages.frame(0) && *second == pages.frame(1)) {
        result.levels = levels;
        result.frame_mask = mask;
        return true;
      }
    }
  }
  return false;
}

// struct page of frame F is vmemmap + F * sizeof(struct page): two pages of our own must agree on
// it.
std::uint64_t find_vmemmap(Kernel& kernel, std::uint32_t page_struct) {
  const OwnPages pages(2);
  if (!pages.ok() || page_struct == 0) return 0;
  const auto allocated = kernel.allocations_during([&] {
    for (std::size_t i = 0; i < 2; ++i) *const_cast<volatile unsigned char*>(pages.page(i)) = 1;
  });
  for (const std::uint64_t first : allocated) {
    const std::uint64_t base = first - pages.frame(0) * page_struct;
    const std::uint64_t second = base + pages.frame(1) * page_struct;
    if (second != first && std::find(allocated.begin(), allocated.end(), second) != allocated.end())
      return base;
  }
  return 0;
}

}  // namespace

Result<Calibration> calibrate(cowtrace_bpf& skeleton) {
  Kernel kernel(skeleton);
  const OwnPages pages(2);
  if (!pages.ok()) return fail_errno("cannot allocate memory", errno);
  for (std::size_t i = 0; i < 2; ++i)
    if (getrandom(pages.page(i), 64, 0) != 64) return fail_errno("cannot get random bytes", errno);
  if (pages.frame(0) == 0)
    return fail("cannot see page frames", "/proc/self/pagemap shows none",
                "run as root, with CAP_SYS_ADMIN");

  Calibration result;
  result.direct_map = find_direct_map(kernel, pages);
  if (result.direct_map == 0) {
    result.problem = "the direct map was not found";
  } else if (!verify_walk(kernel, pages, result)) {
    result.direct_map = 0;
    result.problem = "our own page tables do not read as /proc/self/pagemap says";
  }
  result.vmemmap = find_vmemmap(kernel, kernel.page_struct());
  result.pid_level = kernel.pid_level();
  result.pid_namespace = kernel.pid_namespace();
  if (result.vmemmap == 0 && result.problem.empty()) result.problem = "struct page was not found";
  return result;
}

}  // namespace cowtrace::capture
