// SPDX-License-Identifier: Apache-2.0
#include "image/memory_image.h"

#include <sys/stat.h>

#include <algorithm>
#include <bit>

#include "base/bits.h"
#include "base/units.h"
#include "process/elf_file.h"

namespace cowtrace::image {
namespace {

constexpr std::uint64_t kReadAtOnce = 256 * 1024;  // stays in the cache until it is compressed
constexpr std::size_t kMostModules = 4096;         // each is an open file

bool is_wanted(const process::MapsEntry& entry) {
  if (entry.shared() || !entry.readable() || entry.executable()) return false;
  return !entry.path.starts_with("[v") && entry.path != "[uprobes]";
}

bool continues(const MemoryImage::Region& region, const process::MapsEntry& entry) {
  return region.end == entry.start && region.path == entry.path &&
         region.writable == entry.writable() && region.device == entry.device &&
         region.inode == entry.inode &&
         (!entry.is_file() || region.file_offset + (region.end - region.start) == entry.offset);
}

// Where the pages that the file has end in the region. A file may have been cut off since.
std::uint64_t end_in_file(const MemoryImage::Region& region) {
  struct stat about = {};
  if (fstat(region.module->elf()->file(), &about) != 0 || about.st_size <= 0) return region.start;
  const auto size = static_cast<std::uint64_t>(about.st_size);
  if (size <= region.file_offset) return region.start;
  return region.start +
         std::min(region.end - region.start,
                  (size - region.file_offset + kPageSize - 1) / kPageSize * kPageSize);
}

// Reads pages, many at once where they follow each other, and puts them into the store.
class PageReader {
 public:
  PageReader(process::ProcMem& memory, PageStore& store)
      : memory_(memory), store_(store), buffer_(kReadAtOnce) {}

  // The number of the page goes to ids[at], which holds that of a page of zeros; at the latest when
  // finish() is called.
  void add(std::uint64_t page, std::vector<PageStore::Id>& ids, std::size_t at) {
    if (pages_ != 0 && (page != start_ + pages_ * kPageSize || &ids != ids_ ||
                        at != first_ + pages_ || pages_ == kReadAtOnce / kPageSize))
      finish();
    if (pages_++ != 0) return;
    start_ = page;
    ids_ = &ids;
    first_ = at;
  }

  void finish() {
    const std::uint64_t size = pages_ * kPageSize;
    for (std::uint64_t from = 0; from < size;) {
      const auto got = memory_.read(start_ + from, std::span(buffer_).subspan(from, size - from));
      // Unmapped or dropped since: it stays zero.
      const std::uint64_t whole = got ? *got / kPageSize * kPageSize : 0;
      for (std::uint64_t at = from; at < from + whole; at += kPageSize)
        (*ids_)[first_ + at / kPageSize] =
            store_.add(std::span<const std::byte, kPageSize>(buffer_.data() + at, kPageSize));
      bytes_read_ += whole;
      from += std::max(whole, kPageSize);
    }
    pages_ = 0;
  }

  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  process::ProcMem& memory_;
  PageStore& store_;
  std::vector<std::byte> buffer_;
  std::uint64_t start_ = 0, pages_ = 0, bytes_read_ = 0;
  std::vector<PageStore::Id>* ids_ = nullptr;
  std::size_t first_ = 0;
};

}  // namespace

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
  std::uint64_t pages = 0;
  for (Region& region : regions_) {
    region.first_page = pages;
    pages += (region.end - region.start) / kPageSize;
  }
  readable_ = ReadablePages(pages);
  from_files_left_ = limits.max_from_files;
  for (Region& region : regions_) {
    const std::uint64_t words = ((region.end - region.start) / kPageSize + 63) / 64;
    region.kept.resize(words);
    region.rank.resize(words);
    if (region.module != nullptr) region.in_file_end = end_in_file(region);
  }
}

// What does not fit is left out from the largest mapping on: Python's own structures are in small
// ones.
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
  std::sort(by_size.begin(), by_size.end(),
            [&](std::size_t a, std::size_t b) { return resident[a] > resident[b]; });
  for (const std::size_t i : by_size)
    if (total > limits.max_bytes || size_of(i) > limits.max_region) drop(i);
  if (space > limits.max_space) {
    std::sort(by_size.begin(), by_size.end(),
              [&](std::size_t a, std::size_t b) { return size_of(a) > size_of(b); });
    for (std::size_t i = 0; i < by_size.size() && space > limits.max_space; ++i) drop(by_size[i]);
  }
  if (count > limits.max_regions) {
    // Too many of them: those that have least in them.
    std::sort(by_size.begin(), by_size.end(),
              [&](std::size_t a, std::size_t b) { return resident[a] < resident[b]; });
    for (std::size_t i = 0; i < by_size.size() && count > limits.max_regions; ++i)
      if (size_of(by_size[i]) != 0) drop(by_size[i]);
  }
  std::erase_if(regions_, [](const Region& region) { return region.start == region.end; });
}

// Of what `before` has, only pages are read whose frame is another one and those of `written`.
Status MemoryImage::read_pages(pid_t tid, const MemoryImage* before,
                               const std::unordered_set<std::uint64_t>& written) {
  auto memory = process::ProcMem::open(tid);
  if (!memory) return tl::unexpected(memory.error());
  PageReader reader(*memory, *store_);
  std::size_t at = 0;
  frames_.for_each([&](std::uint64_t page, process::PageEntry entry) {
    while (at < regions_.size() && regions_[at].end <= page) ++at;
    if (at == regions_.size() || page < regions_[at].start) return;
    Region& region = regions_[at];
    const std::uint64_t number = (page - region.start) / kPageSize;
    region.kept[number / 64] |= std::uint64_t{1} << number % 64;
    if (before != nullptr && !written.contains(page)) {
      const auto frame = before->frames_.frame_at(page);
      const Region* had = before->region_at(page);
      if (frame && frame->frame() == entry.frame() && had != nullptr &&
          is_set(had->kept, (page - had->start) / kPageSize)) {
        region.ids.push_back(id_of(*had, (page - had->start) / kPageSize));
        return;
      }
    }
    region.ids.push_back(PageStore::kZeros);
    reader.add(page, region.ids, region.ids.size() - 1);
  });
  reader.finish();
  bytes_read_ = reader.bytes_read();
  return {};
}

void MemoryImage::note_kept() {
  bytes_kept_ += regions_.capacity() * sizeof(Region) + frames_.bytes_used() +
                 maps_.capacity() * sizeof(process::MapsEntry);
  for (Region& region : regions_) {
    std::uint32_t before = 0;
    for (std::size_t i = 0; i < region.kept.size(); ++i) {
      region.rank[i] = before;
      before += static_cast<std::uint32_t>(std::popcount(region.kept[i]));
    }
    bytes_kept_ += region.kept.size() * (sizeof(std::uint64_t) + sizeof(std::uint32_t)) +
                   region.ids.capacity() * sizeof(PageStore::Id);
  }
}

Result<std::shared_ptr<MemoryImage>> MemoryImage::take(pid_t tid, process::ModuleCache& modules,
                                                       const Limits& limits) {
  return take_after(nullptr, {}, tid, modules, limits);
}

Result<std::shared_ptr<MemoryImage>> MemoryImage::take_after(
    std::shared_ptr<const MemoryImage> before, const std::unordered_set<std::uint64_t>& written,
    pid_t tid, process::ModuleCache& modules, const Limits& limits) {
  std::shared_ptr<MemoryImage> image(new MemoryImage);
  if (auto status = image->look_at(tid, true); !status) return tl::unexpected(status.error());
  image->make_regions(modules, tid, limits);
  if (image->regions_.empty()) return fail("cannot keep an image of a process", "it has no memory");
  image->store_ = before != nullptr ? before->store_ : std::make_shared<PageStore>();
  const std::uint64_t stored = image->store_->bytes_used();
  if (auto status = image->read_pages(tid, before.get(), written); !status)
    return tl::unexpected(status.error());
  image->bytes_kept_ = image->store_->bytes_used() - stored;
  image->note_kept();
  return image;
}

Result<std::shared_ptr<MemoryImage>> MemoryImage::look_into(pid_t tid,
                                                            process::ModuleCache& modules,
                                                            const Limits& limits) {
  std::shared_ptr<MemoryImage> image(new MemoryImage);
  if (auto status = image->look_at(tid, false); !status) return tl::unexpected(status.error());
  image->make_regions(modules, tid, limits);
  if (image->regions_.empty()) return fail("cannot look into a process", "it has no memory");
  auto memory = process::ProcMem::open(tid);
  if (!memory) return tl::unexpected(memory.error());
  image->live_ = std::move(*memory);
  return image;
}

std::uint64_t MemoryImage::pages_changed_since(const MemoryImage& before) const {
  std::uint64_t changed = 0, same = 0;
  for (const Region& region : regions_) {
    std::size_t rank = 0;
    for_each_bit(region.kept, [&](std::uint64_t number) {
      const PageStore::Id id = region.ids[rank++];
      const std::uint64_t page = region.start + number * kPageSize;
      const Region* had = before.region_at(page);
      const std::uint64_t then = had != nullptr ? (page - had->start) / kPageSize : 0;
      const bool is_same = had != nullptr && is_set(had->kept, then) && id_of(*had, then) == id;
      ++(is_same ? same : changed);
    });
  }
  std::uint64_t pages = 0;
  for (const Region& region : before.regions_) pages += region.ids.size();
  // New here, or gone since: whatever is more.
  return std::max(changed, pages - same);
}

const MemoryImage::Region* MemoryImage::find_region(std::uint64_t address) const {
  const auto after = std::upper_bound(
      regions_.begin(), regions_.end(), address,
      [](std::uint64_t value, const Region& region) { return value < region.start; });
  if (after == regions_.begin()) return nullptr;
  const auto found = std::prev(after);
  if (address >= found->end) return nullptr;
  last_.store(static_cast<std::size_t>(found - regions_.begin()), std::memory_order_relaxed);
  return &*found;
}

// Pages of a file that the process has not changed are as they are in the file. nullptr: the page
// is zeros.
const std::byte* MemoryImage::make_readable(const Region& region, std::uint64_t page) const {
  const std::uint64_t address = region.start + page * kPageSize;
  const auto make = [&] {
    return std::span<std::byte, kPageSize>(
        readable_.make(region.first_page + page, live_ || region.module != nullptr), kPageSize);
  };
  if (is_set(region.kept, page)) {
    const auto bytes = make();
    store_->get(id_of(region, page), bytes);
    return bytes.data();
  }
  if (!is_in_file(region, address)) return nullptr;
  from_files_left_ -= kPageSize;
  const auto bytes = make();
  // Only what is resident is read of a process. Beyond the end of a file there are zeros.
  const bool read_live = live_ && live_->read(address, bytes);
  if (!read_live && region.module != nullptr && address < region.in_file_end) [[maybe_unused]]
    const ssize_t got = pread(region.module->elf()->file(), bytes.data(), kPageSize,
                              static_cast<off_t>(region.file_offset + page * kPageSize));
  return bytes.data();
}

void MemoryImage::copy(const Region& region, std::uint64_t address, std::byte* out,
                       std::uint64_t size) const {
  for (std::uint64_t done = 0; done < size;) {
    const std::uint64_t offset = address + done - region.start;
    const std::uint64_t piece = std::min(size - done, kPageSize - offset % kPageSize);
    const std::byte* page = readable_.find(region.first_page + offset / kPageSize);
    if (page == nullptr) page = make_readable(region, offset / kPageSize);
    if (page != nullptr)
      std::memcpy(out + done, page + offset % kPageSize, piece);
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
  std::uint64_t bits = region->kept[first / 64] >> first % 64 << first % 64;
  for (std::uint64_t i = first / 64;; bits = region->kept[i]) {
    if (bits != 0) {
      const std::uint64_t page = i * 64 + static_cast<std::uint64_t>(std::countr_zero(bits));
      return page == first ? address : std::min(end, region->start + page * kPageSize);
    }
    if (++i == region->kept.size() || region->start + i * 64 * kPageSize >= end) return end;
  }
}

std::optional<std::string> MemoryImage::bytes(std::uint64_t address, std::uint64_t size) const {
  const Region* region = region_at(address);
  if (region == nullptr || size > region->end - address) return std::nullopt;
  std::string out(size, '\0');
  copy(*region, address, reinterpret_cast<std::byte*>(out.data()), size);
  return out;
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
  if (done == 0)
    return fail("cannot read memory at " + hex(address),
                "the image of the process does not have it");
  return done;
}

}  // namespace cowtrace::image
