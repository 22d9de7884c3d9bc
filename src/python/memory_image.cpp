// SPDX-License-Identifier: Apache-2.0
#include "python/memory_image.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include "base/units.h"
#include "process/elf_file.h"

namespace cowtrace::python {
namespace {

constexpr std::uint64_t kReadAtOnce = 1 << 20;
constexpr std::size_t kMostModules = 4096;  // each is an open file

bool is_wanted(const process::MapsEntry& entry) {
  if (entry.shared() || !entry.readable() || entry.executable()) return false;
  return !entry.path.starts_with("[v") && entry.path != "[uprobes]";
}

bool continues(const MemoryImage::Region& region, const process::MapsEntry& entry) {
  return region.end == entry.start && region.path == entry.path && region.writable == entry.writable() && region.device == entry.device &&
         region.inode == entry.inode && (!entry.is_file() || region.file_offset + (region.end - region.start) == entry.offset);
}

// Where the pages that the file has end in the region. A file may have been cut off since.
std::uint64_t end_in_file(const MemoryImage::Region& region) {
  struct stat about = {};
  if (fstat(region.module->elf()->file(), &about) != 0 || about.st_size <= 0) return region.start;
  const auto size = static_cast<std::uint64_t>(about.st_size);
  if (size <= region.file_offset) return region.start;
  return region.start + std::min(region.end - region.start, (size - region.file_offset + kPageSize - 1) / kPageSize * kPageSize);
}

}  // namespace

MemoryImage::~MemoryImage() {
  if (host_ != nullptr) munmap(host_, host_size_);
}

Status MemoryImage::look_at(pid_t tid, bool with_frames) {
  auto maps = process::read_maps(tid);
  if (!maps) return tl::unexpected(maps.error());
  if (!with_frames) {
    maps_ = std::move(*maps);
    return {};
  }
  auto frames = process::FrameSnapshot::take(tid, {});
  if (!frames) return tl::unexpected(frames.error());
  maps_ = std::move(*maps);
  frames_ = std::move(*frames);
  return {};
}

void MemoryImage::make_regions(process::ModuleCache& modules, pid_t tid, const Limits& limits) {
  std::unordered_set<const process::ElfModule*> opened;
  for (const process::MapsEntry& entry : maps_) {
    if (!is_wanted(entry)) continue;
    if (!regions_.empty() && continues(regions_.back(), entry)) {
      regions_.back().end = entry.end;
      continue;
    }
    Region region;
    region.start = entry.start;
    region.end = entry.end;
    region.writable = entry.writable();
    region.path = entry.path;
    region.file_offset = entry.offset;
    region.device = entry.device;
    region.inode = entry.inode;
    if (entry.is_file()) {
      if (opened.size() < kMostModules) {
        region.module = modules.open(entry, tid);
        if (region.module->elf() == nullptr)
          region.module = nullptr;
        else
          opened.insert(region.module.get());
      }
      if (region.module == nullptr && !region.writable) continue;
    }
    regions_.push_back(std::move(region));
  }
  leave_out(limits);
  from_files_left_ = limits.max_from_files;
  for (Region& region : regions_) {
    region.pages.resize(((region.end - region.start) / kPageSize + 63) / 64);
    if (region.module != nullptr) region.in_file_end = end_in_file(region);
  }
}

// What does not fit is left out from the largest mapping on: Python's own structures are in small ones.
void MemoryImage::leave_out(const Limits& limits) {
  std::vector<std::uint64_t> resident(regions_.size());
  std::uint64_t total = 0, space = 0;
  std::size_t at = 0;
  frames_.for_each([&](std::uint64_t page, process::PageEntry) {
    while (at < regions_.size() && regions_[at].end <= page) ++at;
    if (at == regions_.size() || page < regions_[at].start) return;
    resident[at] += kPageSize;
    total += kPageSize;
  });
  const auto size_of = [&](std::size_t i) { return regions_[i].end - regions_[i].start; };
  std::vector<std::size_t> by_size(regions_.size());
  for (std::size_t i = 0; i < by_size.size(); ++i) {
    by_size[i] = i;
    space += size_of(i);
  }
  std::size_t count = regions_.size();
  const auto drop = [&](std::size_t i) {
    total -= resident[i];
    space -= size_of(i);
    --count;
    bytes_left_out_ += resident[i];
    regions_[i].end = regions_[i].start;
  };
  std::sort(by_size.begin(), by_size.end(), [&](std::size_t a, std::size_t b) { return resident[a] > resident[b]; });
  for (const std::size_t i : by_size)
    if (total > limits.max_bytes || size_of(i) > limits.max_region) drop(i);
  if (space > limits.max_space) {
    std::sort(by_size.begin(), by_size.end(), [&](std::size_t a, std::size_t b) { return size_of(a) > size_of(b); });
    for (std::size_t i = 0; i < by_size.size() && space > limits.max_space; ++i) drop(by_size[i]);
  }
  if (count > limits.max_regions) {
    // Too many of them: those that have least in them.
    std::sort(by_size.begin(), by_size.end(), [&](std::size_t a, std::size_t b) { return resident[a] < resident[b]; });
    for (std::size_t i = 0; i < by_size.size() && count > limits.max_regions; ++i)
      if (size_of(by_size[i]) != 0) drop(by_size[i]);
  }
  std::erase_if(regions_, [](const Region& region) { return region.start == region.end; });
}

// One mapping for all regions: thousands would leave this program no room for its own.
Status MemoryImage::reserve(int flags, int file) {
  host_size_ = 0;
  for (const Region& region : regions_) host_size_ += region.end - region.start;
  void* host = mmap(nullptr, host_size_, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, file, 0);
  if (host == MAP_FAILED) return fail_errno("cannot keep an image of a process", errno);
  host_ = static_cast<std::byte*>(host);
  std::uint64_t at = 0;
  for (Region& region : regions_) {
    region.host = host_ + at;
    at += region.end - region.start;
  }
  return {};
}

Status MemoryImage::make_memory_file() {
  memory_file_ = Fd(memfd_create("cowtrace-image", MFD_CLOEXEC));
  if (!memory_file_) return fail_errno("cannot keep an image of a process", errno);
  std::uint64_t size = 0;
  for (Region& region : regions_) {
    region.in_file = size;
    region.shared = true;
    size += region.end - region.start;
  }
  if (ftruncate(memory_file_.get(), static_cast<off_t>(size)) != 0) return fail_errno("cannot keep an image of a process", errno);
  return reserve(MAP_SHARED, memory_file_.get());
}

// The memory that `root` has is mapped where this image has it too; the rest begins as zero.
Status MemoryImage::map_over(const MemoryImage& root) {
  if (auto status = reserve(MAP_PRIVATE | MAP_ANONYMOUS, -1); !status) return status;
  std::size_t first = 0;
  for (const Region& region : regions_) {
    while (first < root.regions_.size() && root.regions_[first].end <= region.start) ++first;
    for (std::size_t i = first; i < root.regions_.size() && root.regions_[i].start < region.end; ++i) {
      const Region& old = root.regions_[i];
      const std::uint64_t start = std::max(old.start, region.start);
      const std::uint64_t end = std::min(old.end, region.end);
      if (start >= end || !old.shared) continue;
      if (mmap(region.host + (start - region.start), end - start, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE,
               root.memory_file_.get(), static_cast<off_t>(old.in_file + (start - old.start))) == MAP_FAILED)
        return fail_errno("cannot keep an image of a process", errno);
    }
  }
  return {};
}

Status MemoryImage::read_pages(pid_t tid, const std::unordered_set<std::uint64_t>* written, const MemoryImage* before) {
  auto memory = process::ProcMem::open(tid);
  if (!memory) return tl::unexpected(memory.error());
  Status status;
  std::size_t at = 0;
  Region* run_region = nullptr;
  std::uint64_t run_start = 0, run_end = 0;
  const auto read_run = [&] {
    for (std::uint64_t from = run_start; from < run_end && status;) {
      const std::uint64_t size = std::min(kReadAtOnce, run_end - from);
      const auto got = memory->read(from, {run_region->host + (from - run_region->start), size});
      if (!got) {
        // Unmapped or dropped since: it stays zero.
        from += kPageSize;
        continue;
      }
      bytes_read_ += *got;
      from += *got;
    }
    run_start = run_end = 0;
  };
  frames_.for_each([&](std::uint64_t page, process::PageEntry entry) {
    while (at < regions_.size() && regions_[at].end <= page) ++at;
    if (at == regions_.size() || page < regions_[at].start) return;
    Region& region = regions_[at];
    const std::uint64_t number = (page - region.start) / kPageSize;
    region.pages[number / 64] |= std::uint64_t{1} << number % 64;
    if (before != nullptr) {
      const auto old = before->frames_.frame_at(page);
      const Region* had = before->region_at(page);
      const bool same = old && old->frame() == entry.frame() && had != nullptr && !written->contains(page);
      if (!same) {
        changed_.push_back(page);
      } else if (std::binary_search(before->changed_.begin(), before->changed_.end(), page)) {
        changed_.push_back(page);
        std::memcpy(region.host + (page - region.start), had->host + (page - had->start), kPageSize);
        return;
      } else {
        return;
      }
    }
    if (run_region != &region || run_end != page) {
      read_run();
      run_region = &region;
      run_start = page;
    }
    run_end = page + kPageSize;
  });
  read_run();
  if (before == nullptr) return status;
  // What is gone since must not be taken for what is there.
  before->frames_.for_each([&](std::uint64_t page, process::PageEntry) {
    const Region* region = region_at(page);
    if (region == nullptr || frames_.frame_at(page)) return;
    std::memset(region->host + (page - region->start), 0, kPageSize);
    changed_.push_back(page);
  });
  std::sort(changed_.begin(), changed_.end());
  return status;
}

Result<std::shared_ptr<MemoryImage>> MemoryImage::take(pid_t tid, process::ModuleCache& modules, const Limits& limits) {
  std::shared_ptr<MemoryImage> image(new MemoryImage);
  if (auto status = image->look_at(tid, true); !status) return tl::unexpected(status.error());
  image->make_regions(modules, tid, limits);
  if (image->regions_.empty()) return fail("cannot keep an image of a process", "it has no memory");
  if (auto status = image->make_memory_file(); !status) return tl::unexpected(status.error());
  if (auto status = image->read_pages(tid, nullptr, nullptr); !status) return tl::unexpected(status.error());
  return image;
}

Result<std::shared_ptr<MemoryImage>> MemoryImage::take_after(std::shared_ptr<const MemoryImage> before,
                                                             const std::unordered_set<std::uint64_t>& written, pid_t tid,
                                                             process::ModuleCache& modules, const Limits& limits) {
  std::shared_ptr<MemoryImage> image(new MemoryImage);
  if (auto status = image->look_at(tid, true); !status) return tl::unexpected(status.error());
  image->make_regions(modules, tid, limits);
  if (image->regions_.empty()) return fail("cannot keep an image of a process", "it has no memory");
  image->root_ = before->root_ != nullptr ? before->root_ : before;
  if (auto status = image->map_over(*image->root_); !status) return tl::unexpected(status.error());
  if (auto status = image->read_pages(tid, &written, before.get()); !status) return tl::unexpected(status.error());
  return image;
}

Result<std::shared_ptr<MemoryImage>> MemoryImage::look_into(pid_t tid, process::ModuleCache& modules, const Limits& limits) {
  std::shared_ptr<MemoryImage> image(new MemoryImage);
  if (auto status = image->look_at(tid, false); !status) return tl::unexpected(status.error());
  image->make_regions(modules, tid, limits);
  if (image->regions_.empty()) return fail("cannot look into a process", "it has no memory");
  if (auto status = image->reserve(MAP_PRIVATE | MAP_ANONYMOUS, -1); !status) return tl::unexpected(status.error());
  auto memory = process::ProcMem::open(tid);
  if (!memory) return tl::unexpected(memory.error());
  image->live_ = std::move(*memory);
  return image;
}

const MemoryImage::Region* MemoryImage::find_region(std::uint64_t address) const {
  const auto after = std::upper_bound(regions_.begin(), regions_.end(), address,
                                      [](std::uint64_t value, const Region& region) { return value < region.start; });
  if (after == regions_.begin()) return nullptr;
  const auto found = std::prev(after);
  if (address >= found->end) return nullptr;
  last_ = static_cast<std::size_t>(found - regions_.begin());
  return &*found;
}

// Pages of a file that the process has not changed are as they are in the file.
bool MemoryImage::fill_page(const Region& region, std::uint64_t page) const {
  const std::uint64_t address = region.start + page * kPageSize;
  if (!is_in_file(region, address)) return false;
  from_files_left_ -= kPageSize;
  const_cast<std::uint64_t&>(region.pages[page / 64]) |= std::uint64_t{1} << page % 64;
  // Only what is resident is read of a process.
  if (live_ && live_->read(address, {region.host + page * kPageSize, kPageSize})) return true;
  if (region.module == nullptr || address >= region.in_file_end) return true;
  // Beyond the end of the file there are zeros.
  [[maybe_unused]] const ssize_t got = pread(region.module->elf()->file(), region.host + page * kPageSize, kPageSize,
                                             static_cast<off_t>(region.file_offset + page * kPageSize));
  return true;
}

void MemoryImage::fill(const Region& region, std::uint64_t address, std::uint64_t size) const {
  if (size == 0) return;
  const std::uint64_t last = (address + size - 1 - region.start) / kPageSize;
  for (std::uint64_t page = (address - region.start) / kPageSize; page <= last; ++page)
    if (!is_there(region, page * kPageSize)) fill_page(region, page);
}

// Holes are not touched: reading one in a memory file gives it a page.
void MemoryImage::copy(const Region& region, std::uint64_t address, std::byte* out, std::uint64_t size) const {
  for (std::uint64_t done = 0; done < size;) {
    const std::uint64_t offset = address + done - region.start;
    const std::uint64_t piece = std::min(size - done, kPageSize - offset % kPageSize);
    if (is_there(region, offset) || fill_page(region, offset / kPageSize))
      std::memcpy(out + done, region.host + offset, piece);
    else
      std::memset(out + done, 0, piece);
    done += piece;
  }
}

std::uint64_t MemoryImage::skip_holes(std::uint64_t address, std::uint64_t end) const {
  const Region* region = region_at(address);
  if (region == nullptr || address >= end) return end;
  if (is_in_file(*region, address)) return address;
  const std::uint64_t first = (address - region->start) / kPageSize;
  std::uint64_t bits = region->pages[first / 64] >> first % 64 << first % 64;
  for (std::uint64_t i = first / 64;; bits = region->pages[i]) {
    if (bits != 0) {
      const std::uint64_t page = i * 64 + static_cast<std::uint64_t>(std::countr_zero(bits));
      return page == first ? address : std::min(end, region->start + page * kPageSize);
    }
    if (++i == region->pages.size() || region->start + i * 64 * kPageSize >= end) return end;
  }
}

Result<std::size_t> MemoryImage::read(std::uint64_t address, std::span<std::byte> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const std::uint64_t from = address + done;
    const Region* region = region_at(from);
    if (region == nullptr) break;
    const std::size_t size = std::min<std::uint64_t>(out.size() - done, region->end - from);
    copy(*region, from, out.data() + done, size);
    done += size;
  }
  if (done == 0) return fail("cannot read memory at " + hex(address), "the image of the process does not have it");
  return done;
}

}  // namespace cowtrace::python
