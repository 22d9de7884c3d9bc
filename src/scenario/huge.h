// SPDX-License-Identifier: Apache-2.0
// Huge pages of 2 MiB: memory made of them, and what became of one that was written.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "scenario/failure.h"
#include "scenario/frames.h"
#include "scenario/truth.h"

namespace scenario {

inline constexpr std::uint64_t kHugeSize = 2ull << 20;
inline constexpr std::uint64_t kPagesPerHuge = kHugeSize / kPageSize;

class Settings;

// Where the machine's policy is "never" it becomes "madvise". 77 if this kernel has none.
Result<void> allow_transparent_huge_pages(Settings& settings);

// As many huge pages as hold `pages` base pages.
constexpr std::uint64_t huge_pages(std::uint64_t pages) {
  return (pages + kPagesPerHuge - 1) / kPagesPerHuge;
}

// Anonymous memory for transparent huge pages: `count` regions, each at the start of a huge page's
// place. Each is a mapping of its own, so that smaps speaks of one huge page; smaller ones get
// smaller huge pages.
Result<std::vector<Region>> map_huge_regions(std::uint64_t count, std::uint64_t size = kHugeSize);

// A Writing that stores one word on every fourth page of each region.
inline constexpr std::uint64_t kSparse = 4;
std::function<Result<std::vector<std::uint64_t>>()> write_sparsely(std::vector<Region> regions);

// How a region of one huge page is mapped.
enum class Entry : std::uint8_t {
  Base,      // by base pages, or not at all
  Huge,      // by one entry: a transparent huge page
  HugeZero,  // by one entry: the huge zero page
  Hugetlb,
};

// `pages` are those of the regions, one after the other. What pagemap shows does not tell one entry
// from 512: smaps does.
Result<std::vector<Entry>> observe_entries(std::span<const Region> regions,
                                           std::span<const PageState> pages);

}  // namespace scenario
