// SPDX-License-Identifier: Apache-2.0
#include "scenario/huge.h"

#include <fmt/format.h>
#include <linux/kernel-page-flags.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <utility>

#include "scenario/settings.h"
#include "scenario/writes.h"

namespace scenario {
namespace {

// Bytes that huge entries of anonymous memory map, by the start of the mapping.
Result<std::map<std::uint64_t, std::uint64_t>> read_huge_bytes() {
  std::ifstream smaps("/proc/self/smaps");
  std::map<std::uint64_t, std::uint64_t> bytes;
  std::uint64_t mapping = 0;
  for (std::string line; std::getline(smaps, line);) {
    unsigned long long start = 0, end = 0, kilobytes = 0;
    if (std::sscanf(line.c_str(), "%llx-%llx ", &start, &end) == 2)
      mapping = start;
    else if (std::sscanf(line.c_str(), "AnonHugePages: %llu kB", &kilobytes) == 1)
      bytes[mapping] = kilobytes << 10;
  }
  if (bytes.empty())
    return unavailable("cannot tell huge pages", "/proc/self/smaps does not count AnonHugePages");
  return bytes;
}

// The huge zero page keeps its frames together; after a split each page is the one zero page.
bool is_huge_zero(std::span<const PageState> pages) {
  for (std::size_t i = 0; i < pages.size(); ++i) {
    if (!pages[i].has(KPF_ZERO_PAGE) || pages[i].frame != pages[0].frame + i) return false;
  }
  return true;
}

}  // namespace

Result<void> allow_transparent_huge_pages(Settings& settings) {
  if (auto turn = settings.take_turn(); !turn) return turn;
  const std::string policy = "/sys/kernel/mm/transparent_hugepage/enabled";
  const std::string now = read_setting(policy);
  if (now.empty())
    return unavailable("cannot get a transparent huge page", "this kernel is built without them");
  return now == "never" ? settings.set(policy, "madvise") : Result<void>{};
}

Result<std::vector<Region>> map_huge_regions(std::uint64_t count, std::uint64_t size) {
  // Each slot is followed by a gap of its size, and one more lets the first be aligned.
  const std::uint64_t bytes = (2 * count + 1) * kHugeSize;
  void* reserved =
      ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED)
    return unavailable(fmt::format("cannot map {} bytes", bytes), std::strerror(errno),
                       "use fewer --pages");
  const std::uint64_t first =
      (reinterpret_cast<std::uint64_t>(reserved) + kHugeSize - 1) / kHugeSize * kHugeSize;
  std::vector<Region> regions;
  for (std::uint64_t i = 0; i < count; ++i) {
    const Region region{first + 2 * i * kHugeSize, size};
    auto* start = reinterpret_cast<void*>(region.start);
    if (::mmap(start, region.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
               -1, 0) == MAP_FAILED)
      return unavailable("cannot map a huge page's place", std::strerror(errno),
                         "use fewer --pages");
    if (::madvise(start, region.size, MADV_HUGEPAGE) != 0)
      return unavailable("cannot ask for transparent huge pages", std::strerror(errno));
    regions.push_back(region);
  }
  return regions;
}

std::function<Result<std::vector<std::uint64_t>>()> write_sparsely(std::vector<Region> regions) {
  return [regions = std::move(regions)]() -> Result<std::vector<std::uint64_t>> {
    std::vector<std::uint64_t> written;
    for (const Region& region : regions) {
      for (std::uint64_t page = 1; page < region.size / kPageSize; page += kSparse) {
        written.push_back(region.start + page * kPageSize + offset_in_page(page));
        store(reinterpret_cast<std::byte*>(written.back()), std::uint64_t{2});
      }
    }
    return written;
  };
}

Result<std::vector<Entry>> observe_entries(std::span<const Region> regions,
                                           std::span<const PageState> pages) {
  const auto bytes = read_huge_bytes();
  if (!bytes) return tl::unexpected<Failure>(bytes.error());
  std::vector<Entry> entries;
  for (const Region& region : regions) {
    const auto of_region = pages.subspan(entries.size() * kPagesPerHuge, kPagesPerHuge);
    const auto found = bytes->find(region.start);
    const std::uint64_t huge = found == bytes->end() ? 0 : found->second;
    Entry entry = huge == kHugeSize ? Entry::Huge : Entry::Base;
    if (of_region[0].has(KPF_HUGE)) entry = Entry::Hugetlb;
    if (is_huge_zero(of_region)) entry = Entry::HugeZero;
    entries.push_back(entry);
  }
  return entries;
}

}  // namespace scenario
