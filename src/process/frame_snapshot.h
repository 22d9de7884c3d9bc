// SPDX-License-Identifier: Apache-2.0
// The frames behind the private anonymous pages of one process at one moment: what fork hands on
// and the audit compares. Taken while a process is stopped at a fork or an exit, so it must be
// quick and small: 8 bytes a page.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "process/maps.h"
#include "process/pagemap.h"

namespace cowtrace::process {

class FrameSnapshot {
 public:
  struct Limits {
    std::uint64_t max_pages_examined = 64 * 1024 * 1024;         // 256 GiB of address space
    std::uint64_t max_bytes = std::uint64_t{512} * 1024 * 1024;  // 256 GiB of memory
    std::uint64_t zero_frame = 0;  // the kernel's zero page, which is nobody's memory; 0: not known
    std::uint64_t huge_zero_frame =
        0;  // the first of the huge zero page's 512 frames; 0: not known
  };

  // `pid` may be a thread id (a leader that has exited has no memory, its threads still do).
  [[nodiscard]] static Result<FrameSnapshot> take(pid_t pid, const Limits& limits);
  // `expected`: about how many pages it will hold; only a matter of speed.
  [[nodiscard]] static Result<FrameSnapshot> take(std::span<const MapsEntry> maps,
                                                  const Pagemap& pagemap, const Limits& limits,
                                                  std::uint64_t expected = 0);

  // The entry of the page that holds `address`; none if it was not private, anonymous and present.
  [[nodiscard]] std::optional<PageEntry> frame_at(std::uint64_t address) const;

  // callback(address of the page, its entry), ascending.
  template <typename Callback>
  void for_each(Callback&& callback) const {
    for (const Run& run : runs_) {
      for (std::uint64_t i = 0; i < run.pages; ++i) {
        const PageEntry entry{entries_[run.first_entry + i]};
        if (entry.present()) callback((run.start_page + i) * kPageSize, entry);
      }
    }
  }

  [[nodiscard]] std::uint64_t pages() const { return pages_; }
  [[nodiscard]] std::uint64_t bytes_used() const {
    return runs_.capacity() * sizeof(Run) + entries_.capacity() * sizeof(std::uint64_t);
  }

 private:
  friend class FrameCollector;

  // Entries [first_entry, first_entry + pages) are those of consecutive pages; a small hole is kept
  // as an entry of 0.
  struct Run {
    std::uint64_t start_page = 0;
    std::uint64_t pages = 0;
    std::uint64_t first_entry = 0;
  };

  std::vector<Run> runs_;
  std::vector<std::uint64_t> entries_;
  std::uint64_t pages_ = 0;
};

}  // namespace cowtrace::process
