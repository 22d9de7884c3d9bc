// SPDX-License-Identifier: Apache-2.0
// The private memory of one process as it was at one moment, taken while nothing in it moved: what a forked child inherits. Absent pages
// read as zero, for reading them would fault them into the process; clean pages of files are read from the files.
//
// A later image of the same family keeps only the pages that have changed: both map one memory file, the later one privately.
#pragma once

#include <sys/types.h>

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

#include "base/fd.h"
#include "base/result.h"
#include "process/elf_module.h"
#include "process/frame_snapshot.h"
#include "process/maps.h"
#include "process/remote_memory.h"

namespace cowtrace::python {

class MemoryImage final : public process::RemoteMemory {
 public:
  struct Limits {
    std::uint64_t max_bytes = std::uint64_t{2} << 30;    // of resident private memory; larger mappings are left out first
    std::uint64_t max_region = std::uint64_t{64} << 30;  // of address space, for one mapping
  };

  // A run of mappings without a gap between them that belong to the same file, or to none.
  struct Region {
    std::uint64_t start = 0, end = 0;
    std::byte* host = nullptr;        // where its bytes are in this process
    std::uint64_t in_file = 0;        // where they are in the memory file, if `shared`
    bool shared = false;              // in the memory file of this image and of those derived from it
    bool writable = false;
    std::string path;                 // as in maps; untrusted
    std::shared_ptr<process::ElfModule> module;  // of the file behind it, if it is one that can be read
    std::vector<bool> filled;         // with a module: pages whose content is known
    std::uint64_t file_offset = 0;
  };

  ~MemoryImage() override;
  MemoryImage(const MemoryImage&) = delete;
  MemoryImage& operator=(const MemoryImage&) = delete;

  // `tid` must not run meanwhile, or what is read is of several moments. Its files are opened through `modules`.
  [[nodiscard]] static Result<std::shared_ptr<MemoryImage>> take(pid_t tid, process::ModuleCache& modules, const Limits& limits);

  // The same for a process that began with the memory of `before` or still has it: reads only pages whose frame is another one and those
  // of `written`, the addresses of pages that were written since.
  [[nodiscard]] static Result<std::shared_ptr<MemoryImage>> take_after(std::shared_ptr<const MemoryImage> before,
                                                                       const std::unordered_set<std::uint64_t>& written, pid_t tid,
                                                                       process::ModuleCache& modules, const Limits& limits);

  // `size` bytes without a gap; nullptr if the image has not all of them.
  [[nodiscard]] const std::byte* at(std::uint64_t address, std::uint64_t size) const {
    const Region* region = region_at(address);
    if (region == nullptr || size > region->end - address) return nullptr;
    if (region->module != nullptr) fill(*region, address, size);
    return region->host + (address - region->start);
  }

  // 0 where the image has nothing.
  template <typename T>
  [[nodiscard]] T load(std::uint64_t address) const {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    if (const std::byte* bytes = at(address, sizeof(T))) std::memcpy(&value, bytes, sizeof(T));
    return value;
  }
  [[nodiscard]] std::uint64_t word(std::uint64_t address) const { return load<std::uint64_t>(address); }

  [[nodiscard]] Result<std::size_t> read(std::uint64_t address, std::span<std::byte> out) override;

  [[nodiscard]] const Region* region_at(std::uint64_t address) const {
    const Region& last = regions_[last_];
    if (address - last.start < last.end - last.start) return &last;
    return find_region(address);
  }
  // Ascending.
  [[nodiscard]] const std::vector<Region>& regions() const { return regions_; }
  [[nodiscard]] const process::FrameSnapshot& frames() const { return frames_; }
  [[nodiscard]] const std::vector<process::MapsEntry>& maps() const { return maps_; }

  // Bytes that were read from the process.
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }
  // Resident bytes that were left out because of the limits.
  [[nodiscard]] std::uint64_t bytes_left_out() const { return bytes_left_out_; }
  // Pages, ascending, that differ from the image at the beginning of the chain.
  [[nodiscard]] const std::vector<std::uint64_t>& changed_pages() const { return changed_; }

 private:
  MemoryImage() = default;
  Status look_at(pid_t tid);
  void make_regions(process::ModuleCache& modules, pid_t tid, const Limits& limits);
  Status make_memory_file();
  Status map_over(const MemoryImage& root);
  Status read_pages(pid_t tid, const std::unordered_set<std::uint64_t>* written, const MemoryImage* before);
  [[nodiscard]] const Region* find_region(std::uint64_t address) const;
  void fill(const Region& region, std::uint64_t address, std::uint64_t size) const;

  std::vector<process::MapsEntry> maps_;
  process::FrameSnapshot frames_;
  std::vector<Region> regions_;
  std::shared_ptr<const MemoryImage> root_;  // whose memory file is mapped privately here; none: this one's own
  Fd memory_file_;
  std::vector<std::uint64_t> changed_;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t bytes_left_out_ = 0;
  mutable std::size_t last_ = 0;
};

}  // namespace cowtrace::python
