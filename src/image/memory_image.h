// SPDX-License-Identifier: Apache-2.0
// The private memory of one process as it was at one moment, taken while nothing in it moved: what
// a forked child inherits. Absent pages read as zero, for reading them would fault them into the
// process; clean pages of files are read from the files.
//
// A process maps far more than it has: what this program does and keeps depends on the pages that
// are there, never on address space.
//
// Pages are kept compressed, and made readable one by one when somebody asks for them; forget()
// takes that back. A later image of the same family shares the store of the earlier one and adds to
// it the pages that have changed: take_after() and pages_changed_since() read nothing of the
// earlier image but its table of pages, so that another thread may read its memory meanwhile.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "image/page_store.h"
#include "image/readable_pages.h"
#include "process/elf_module.h"
#include "process/frame_snapshot.h"
#include "process/maps.h"
#include "process/remote_memory.h"

namespace cowtrace::image {

class MemoryImage final : public process::RemoteMemory {
 public:
  struct Limits {
    std::uint64_t max_bytes =
        std::uint64_t{2} << 30;  // of resident private memory; larger mappings are left out first
    std::uint64_t max_region = std::uint64_t{64} << 30;  // of address space, for one mapping
    std::uint64_t max_space = std::uint64_t{256} << 30;  // of address space, for all
    std::size_t max_regions =
        8192;  // of each the kernel keeps a mapping here too, and it has room for 65,530
    std::uint64_t max_from_files = std::uint64_t{512} << 20;  // of clean pages
  };

  // A run of mappings without a gap between them that belong to the same file, or to none.
  struct Region {
    std::uint64_t start = 0, end = 0;
    std::uint64_t first_page = 0;  // pages of the image before it
    bool writable = false;
    std::string path;  // as in maps; untrusted
    std::shared_ptr<process::ElfModule>
        module;                       // of the file behind it, if it is one that can be read
    std::vector<std::uint64_t> kept;  // a bit for each page that is in the store
    std::vector<std::uint32_t> rank;  // for each word of `kept`: bits before it
    std::vector<PageStore::Id> ids;   // of the pages that are kept, in their order
    std::uint64_t file_offset = 0;
    std::uint64_t device = 0, inode = 0;
    std::uint64_t in_file_end =
        0;  // with a module: an address; from there on the file has no more pages
  };

  MemoryImage(const MemoryImage&) = delete;
  MemoryImage& operator=(const MemoryImage&) = delete;

  // `tid` must not run meanwhile, or what is read is of several moments. Its files are opened
  // through `modules`.
  [[nodiscard]] static Result<std::shared_ptr<MemoryImage>> take(pid_t tid,
                                                                 process::ModuleCache& modules,
                                                                 const Limits& limits);

  // The same for a process that began with the memory of `before` or still has it: reads only pages
  // whose frame is another one and those of `written`, the addresses of pages that were written
  // since.
  [[nodiscard]] static Result<std::shared_ptr<MemoryImage>> take_after(
      std::shared_ptr<const MemoryImage> before, const std::unordered_set<std::uint64_t>& written,
      pid_t tid, process::ModuleCache& modules, const Limits& limits);

  // Reads nothing yet: each page is read from the process when it is first asked for. The process
  // may run meanwhile; then what is read is of several moments, and is to be checked like any other
  // memory.
  [[nodiscard]] static Result<std::shared_ptr<MemoryImage>> look_into(pid_t tid,
                                                                      process::ModuleCache& modules,
                                                                      const Limits& limits);

  // The image has all of these bytes, as far as mappings go; nothing is read.
  [[nodiscard]] bool has(std::uint64_t address, std::uint64_t size) const {
    const Region* region = region_at(address);
    return region != nullptr && size <= region->end - address;
  }
  // The page of `address` may have other content than zeros.
  [[nodiscard]] bool has_page(std::uint64_t address) const {
    const Region* region = region_at(address);
    if (region == nullptr) return false;
    const std::uint64_t page = (address - region->start) / kPageSize;
    return is_set(region->kept, page) || readable_.find(region->first_page + page) != nullptr ||
           is_in_file(*region, address);
  }
  // The first address from `address` on whose page may have other content than zeros; `end` if
  // there is none before it or before the end of the region.
  [[nodiscard]] std::uint64_t skip_holes(std::uint64_t address, std::uint64_t end) const;

  // Somebody is about to look at `address`: fetches it from memory meanwhile, if its page is
  // readable.
  void prefetch(std::uint64_t address) const {
    if (const Region* region = region_at(address)) prefetch(*region, address);
  }

  void prefetch(const Region& region, std::uint64_t address) const {
    const std::uint64_t offset = address - region.start;
    readable_.prefetch(region.first_page + offset / kPageSize, offset % kPageSize);
  }

  // 0 where the image has nothing.
  template <typename T>
  [[nodiscard]] T load(std::uint64_t address) const {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    const Region* region = region_at(address);
    if (region == nullptr || sizeof(T) > region->end - address) return value;
    const std::uint64_t offset = address - region->start;
    const std::byte* const page = readable_.find(region->first_page + offset / kPageSize);
    if (page != nullptr && offset % kPageSize <= kPageSize - sizeof(T)) [[likely]]
      std::memcpy(&value, page + offset % kPageSize, sizeof(T));
    else
      copy(*region, address, reinterpret_cast<std::byte*>(&value), sizeof(T));
    return value;
  }
  [[nodiscard]] std::uint64_t word(std::uint64_t address) const {
    return load<std::uint64_t>(address);
  }
  // std::nullopt if the image has not all of them.
  [[nodiscard]] std::optional<std::string> bytes(std::uint64_t address, std::uint64_t size) const;

  [[nodiscard]] Result<std::size_t> read(std::uint64_t address, std::span<std::byte> out) override;

  [[nodiscard]] const Region* region_at(std::uint64_t address) const {
    const Region& last = regions_[last_.load(std::memory_order_relaxed)];
    if (address - last.start < last.end - last.start) return &last;
    return find_region(address);
  }
  // Ascending.
  [[nodiscard]] const std::vector<Region>& regions() const { return regions_; }
  // Of address space, in all regions.
  [[nodiscard]] std::uint64_t pages() const {
    return regions_.back().first_page + (regions_.back().end - regions_.back().start) / kPageSize;
  }
  [[nodiscard]] const process::FrameSnapshot& frames() const { return frames_; }
  [[nodiscard]] const std::vector<process::MapsEntry>& maps() const { return maps_; }

  // Somebody is about to look at most of it, more than once.
  void expect_walk() const { readable_.expect_many(); }
  // Makes pages unreadable again once they are more than `keep` bytes; not those of files, which
  // are few, and which would count anew. Memory above `keep` is given back.
  void forget(std::uint64_t keep) const {
    if (bytes_readable() > keep || keep == 0) readable_.clear(keep / kPageSize);
  }
  [[nodiscard]] std::uint64_t bytes_readable() const { return readable_.count() * kPageSize; }
  // What this image keeps for itself and what was added to the store of the family for it.
  [[nodiscard]] std::uint64_t bytes_kept() const { return bytes_kept_; }

  // Bytes that were read from the process.
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }
  // Resident bytes that were left out because of the limits.
  [[nodiscard]] std::uint64_t bytes_left_out() const { return bytes_left_out_; }
  // Words of memory that the process has: what a walk through it may take grows with them.
  [[nodiscard]] std::uint64_t words() const { return frames_.pages() * (kPageSize / 8); }
  // Pages of this image that `before`, an image of the same family, has not or has otherwise.
  [[nodiscard]] std::uint64_t pages_changed_since(const MemoryImage& before) const;

 private:
  MemoryImage() = default;
  Status look_at(pid_t tid, bool with_frames);
  void make_regions(process::ModuleCache& modules, pid_t tid, const Limits& limits);
  void leave_out(const Limits& limits);
  Status read_pages(pid_t tid, const MemoryImage* before,
                    const std::unordered_set<std::uint64_t>& written);
  void note_kept();
  [[nodiscard]] const Region* find_region(std::uint64_t address) const;
  [[nodiscard]] static bool is_set(const std::vector<std::uint64_t>& bits, std::uint64_t number) {
    return (bits[number / 64] >> number % 64 & 1) != 0;
  }
  // Of a page that is kept.
  [[nodiscard]] static PageStore::Id id_of(const Region& region, std::uint64_t page) {
    const std::uint64_t before = region.kept[page / 64] & ((std::uint64_t{1} << page % 64) - 1);
    return region.ids[region.rank[page / 64] + static_cast<std::uint64_t>(std::popcount(before))];
  }
  [[nodiscard]] bool is_in_file(const Region& region, std::uint64_t address) const {
    return (address < region.in_file_end || live_) && from_files_left_ >= kPageSize;
  }
  const std::byte* make_readable(const Region& region, std::uint64_t page) const;
  void copy(const Region& region, std::uint64_t address, std::byte* out, std::uint64_t size) const;

  std::vector<process::MapsEntry> maps_;
  process::FrameSnapshot frames_;
  std::vector<Region> regions_;
  std::shared_ptr<PageStore> store_;
  mutable ReadablePages readable_;                // of all regions, one after the other
  mutable std::optional<process::ProcMem> live_;  // look_into() only: where pages come from
  mutable std::uint64_t from_files_left_ =
      0;  // bytes that may still be read when they are asked for
  std::uint64_t bytes_read_ = 0;
  std::uint64_t bytes_kept_ = 0;
  std::uint64_t bytes_left_out_ = 0;
  mutable std::atomic<std::size_t> last_ = 0;  // a guess that any thread may replace
};

}  // namespace cowtrace::image
