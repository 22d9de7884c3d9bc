// SPDX-License-Identifier: Apache-2.0
#include "process/frame_snapshot.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "process/proc_files.h"

namespace cowtrace::process {
namespace {

constexpr std::uint64_t kBlockPages = 16'384;  // 64 MiB of address space, 128 KiB of entries
constexpr std::uint64_t kWorthScanning = kBlockPages;  // smaller mappings are read whole
constexpr std::uint64_t kHoleKept = 3;                 // as large as a new run would be
constexpr std::uint64_t kHugePages = 512;

// Mappings of the kernel's own making: their pages are nobody's, or shared with every process.
bool is_special(std::string_view path) {
  constexpr std::array<std::string_view, 5> kSpecial = {"[vsyscall]", "[vvar]", "[vvar_vclock]",
                                                        "[vdso]", "[uprobes]"};
  return std::find(kSpecial.begin(), kSpecial.end(), path) != kSpecial.end();
}

}  // namespace

// Reads block by block within the limits and keeps what is wanted.
class FrameCollector {
 public:
  // `expected` pages are made room for at once: growing costs more page faults than the reading
  // does.
  FrameCollector(const Pagemap& pagemap, const FrameSnapshot::Limits& limits,
                 std::uint64_t expected)
      : pagemap_(pagemap), limits_(limits), block_(kBlockPages) {
    snapshot_.entries_.reserve(
        static_cast<std::size_t>(std::min(expected, limits.max_bytes / sizeof(std::uint64_t))));
  }

  Status add_mapping(PageRange mapping) {
    if (can_scan_ && mapping.end - mapping.start > kWorthScanning) {
      ranges_.clear();
      const auto scanned = pagemap_.scan_present(mapping, ranges_);
      if (!scanned) return tl::unexpected<Error>(scanned.error());
      can_scan_ = *scanned;
      if (can_scan_) return add_ranges();
    }
    return add_range(mapping);
  }

  Result<FrameSnapshot> finish() && {
    if (snapshot_.pages_ != 0 && !saw_frame_) {
      return fail("cannot tell which frames back the memory", "pagemap shows them as 0",
                  "run as root or with CAP_SYS_ADMIN");
    }
    return std::move(snapshot_);
  }

 private:
  Status add_ranges() {
    for (const PageRange& range : ranges_) {
      if (auto status = add_range(range); !status) return status;
    }
    return {};
  }

  Status add_range(PageRange range) {
    const std::uint64_t pages = range.end - range.start;
    if (pages > limits_.max_pages_examined - examined_) {
      return over_budget(limits_.max_pages_examined, " pages of address space");
    }
    examined_ += pages;
    for (std::uint64_t page = range.start; page < range.end;) {
      const auto block = std::span(block_).first(
          static_cast<std::size_t>(std::min(kBlockPages, range.end - page)));
      const auto got = pagemap_.read(page, block);
      if (!got) return tl::unexpected<Error>(got.error());
      if (*got == 0) break;
      if (auto status = add_block(page, block.first(*got)); !status) return status;
      page += *got;
    }
    return {};
  }

  Status add_block(std::uint64_t first_page, std::span<const std::uint64_t> block) {
    for (std::size_t i = 0; i < block.size(); ++i) {
      const PageEntry entry{block[i]};
      if (!is_wanted(entry)) continue;
      saw_frame_ = saw_frame_ || entry.frame() != 0;
      add_entry(first_page + i, entry);
    }
    if (snapshot_.entries_.size() * sizeof(std::uint64_t) +
            snapshot_.runs_.size() * sizeof(FrameSnapshot::Run) >
        limits_.max_bytes) {
      return over_budget(limits_.max_bytes, " bytes of snapshot");
    }
    return {};
  }

  [[nodiscard]] bool is_wanted(PageEntry entry) const {
    if (!entry.present() || entry.file_or_shared()) return false;
    const std::uint64_t frame = entry.frame();
    if (limits_.zero_frame != 0 && frame == limits_.zero_frame) return false;
    return limits_.huge_zero_frame == 0 || frame - limits_.huge_zero_frame >= kHugePages;
  }

  void add_entry(std::uint64_t page, PageEntry entry) {
    auto& runs = snapshot_.runs_;
    auto& entries = snapshot_.entries_;
    if (runs.empty() || page - (runs.back().start_page + runs.back().pages) > kHoleKept) {
      runs.push_back({page, 0, entries.size()});
    }
    entries.resize(entries.size() + (page - (runs.back().start_page + runs.back().pages)));
    entries.push_back(entry.raw);
    runs.back().pages = page - runs.back().start_page + 1;
    ++snapshot_.pages_;
  }

  static tl::unexpected<Error> over_budget(std::uint64_t budget, const char* unit) {
    return fail("cannot snapshot the page tables",
                "the process is larger than the budget of " + human_count(budget) + unit,
                "use --snapshot passive");
  }

  const Pagemap& pagemap_;
  const FrameSnapshot::Limits& limits_;
  std::vector<std::uint64_t> block_;
  std::vector<PageRange> ranges_;
  FrameSnapshot snapshot_;
  std::uint64_t examined_ = 0;
  bool can_scan_ = true;
  bool saw_frame_ = false;
};

Result<FrameSnapshot> FrameSnapshot::take(pid_t pid, const Limits& limits) {
  const auto maps = read_maps(pid);
  if (!maps) return tl::unexpected<Error>(maps.error());
  const auto pagemap = Pagemap::open(pid);
  if (!pagemap) return tl::unexpected<Error>(pagemap.error());
  return take(*maps, *pagemap, limits, read_anonymous_pages(pid).value_or(0));
}

Result<FrameSnapshot> FrameSnapshot::take(std::span<const MapsEntry> maps, const Pagemap& pagemap,
                                          const Limits& limits, std::uint64_t expected) {
  FrameCollector collector(pagemap, limits, expected);
  PageRange pending;  // neighbouring mappings are read as one
  for (const MapsEntry& entry : maps) {
    if (entry.shared() || is_special(entry.path)) continue;
    const PageRange range{entry.start / kPageSize, entry.end / kPageSize};
    if (range.start == pending.end) {
      pending.end = range.end;
      continue;
    }
    if (auto status = collector.add_mapping(pending); !status) {
      return tl::unexpected<Error>(status.error());
    }
    pending = range;
  }
  if (auto status = collector.add_mapping(pending); !status) {
    return tl::unexpected<Error>(status.error());
  }
  return std::move(collector).finish();
}

std::optional<PageEntry> FrameSnapshot::frame_at(std::uint64_t address) const {
  const std::uint64_t page = address / kPageSize;
  const auto after =
      std::upper_bound(runs_.begin(), runs_.end(), page,
                       [](std::uint64_t at, const Run& run) { return at < run.start_page; });
  if (after == runs_.begin()) return std::nullopt;
  const Run& run = *std::prev(after);
  if (page - run.start_page >= run.pages) return std::nullopt;
  const PageEntry entry{entries_[run.first_entry + (page - run.start_page)]};
  return entry.present() ? std::optional(entry) : std::nullopt;
}

}  // namespace cowtrace::process
