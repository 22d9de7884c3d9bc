// SPDX-License-Identifier: Apache-2.0
// /proc/PID/pagemap: which physical frame backs each virtual page.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace cowtrace::process {

// One 64-bit entry, as Documentation/admin-guide/mm/pagemap.rst lays it out:
//   63 present | 62 swapped | 61 file page or shared anonymous | 56 exclusively mapped | 54..0
//   frame (0 without CAP_SYS_ADMIN)
struct PageEntry {
  std::uint64_t raw = 0;

  [[nodiscard]] constexpr bool present() const { return (raw >> 63 & 1) != 0; }
  [[nodiscard]] constexpr bool swapped() const { return (raw >> 62 & 1) != 0; }
  [[nodiscard]] constexpr bool file_or_shared() const { return (raw >> 61 & 1) != 0; }
  [[nodiscard]] constexpr bool exclusive() const { return (raw >> 56 & 1) != 0; }
  [[nodiscard]] constexpr std::uint64_t frame() const {
    return present() ? raw & ((std::uint64_t{1} << 55) - 1) : 0;
  }
  friend constexpr bool operator==(PageEntry, PageEntry) = default;
};

// Pages [start, end) by virtual page number.
struct PageRange {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  friend constexpr bool operator==(PageRange, PageRange) = default;
};

class Pagemap {
 public:
  // `tid` may be any thread. The file stays open: it follows the address space that the thread has
  // at this moment.
  [[nodiscard]] static Result<Pagemap> open(pid_t tid);

  // Entries of the pages from `start_page` (a page number) on. Returns how many were read: fewer
  // than asked at the end of the address space, 0 when the address space is gone.
  [[nodiscard]] Result<std::size_t> read(std::uint64_t start_page,
                                         std::span<std::uint64_t> out) const;

  // Appends to `out` where in `pages` anonymous pages are present, by PAGEMAP_SCAN (kernel 6.7).
  // False when this kernel has none. Gaps of a few pages are included: reading their entries costs
  // less than another range.
  [[nodiscard]] Result<bool> scan_present(PageRange pages, std::vector<PageRange>& out) const;

 private:
  explicit Pagemap(Fd file) : file_(std::move(file)) {}

  Fd file_;
};

}  // namespace cowtrace::process
