// SPDX-License-Identifier: Apache-2.0
#include "scenario/frames.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace scenario {
namespace {

// Documentation/admin-guide/mm/pagemap.rst
constexpr std::uint64_t kPresent = 1ull << 63;
constexpr std::uint64_t kSwapped = 1ull << 62;
constexpr std::uint64_t kFrameMask = (1ull << 55) - 1;

constexpr const char* kPrivilege = "run it as root (CAP_SYS_ADMIN) or without --truth";

// A file of 8-byte entries, one a page or a frame.
class EntryFile {
 public:
  explicit EntryFile(const char* path) : file_(::open(path, O_RDONLY | O_CLOEXEC)), error_(errno) {}
  ~EntryFile() {
    if (file_ >= 0) ::close(file_);
  }
  EntryFile(const EntryFile&) = delete;
  EntryFile& operator=(const EntryFile&) = delete;

  [[nodiscard]] bool is_open() const { return file_ >= 0; }
  [[nodiscard]] int error() const { return error_; }

  // Reads the entries from number `first` on; false with errno set on failure.
  [[nodiscard]] bool read(std::uint64_t first, std::span<std::uint64_t> entries) const {
    auto* to = reinterpret_cast<char*>(entries.data());
    std::size_t left = entries.size_bytes();
    auto position = static_cast<off_t>(first * sizeof(std::uint64_t));
    while (left != 0) {
      const ssize_t got = ::pread(file_, to, left, position);
      if (got < 0 && errno == EINTR) continue;
      if (got == 0) errno = EIO;
      if (got <= 0) return false;
      to += got;
      left -= static_cast<std::size_t>(got);
      position += got;
    }
    return true;
  }

 private:
  int file_;
  int error_;
};

}  // namespace

Result<void> visit_frames(std::span<const Region> regions, std::span<std::uint64_t> block,
                          const std::function<void(std::uint64_t, std::uint64_t)>& visit) {
  const EntryFile pagemap("/proc/self/pagemap");
  if (!pagemap.is_open())
    return unavailable("cannot open /proc/self/pagemap", std::strerror(pagemap.error()),
                       kPrivilege);
  std::uint64_t index = 0;
  for (const Region& region : regions) {
    std::uint64_t page = region.start / kPageSize;
    const std::uint64_t end = page + region.size / kPageSize;
    while (page < end) {
      const auto entries = block.first(std::min<std::uint64_t>(block.size(), end - page));
      if (!pagemap.read(page, entries))
        return failed("cannot read /proc/self/pagemap", std::strerror(errno));
      for (const std::uint64_t entry : entries) {
        if ((entry & kPresent) == 0) {
          return failed(fmt::format("page {:#x} is not in memory", page * kPageSize),
                        "it was swapped out or discarded",
                        "use fewer --pages, or a machine with more memory");
        }
        if ((entry & kFrameMask) == 0)
          return unavailable("cannot see physical frames", "the kernel hides them", kPrivilege);
        visit(index++, entry & kFrameMask);
        ++page;
      }
    }
  }
  return {};
}

Result<std::vector<PageState>> observe(std::span<const Region> regions) {
  const EntryFile pagemap("/proc/self/pagemap");
  const EntryFile kpageflags("/proc/kpageflags");
  for (const auto& [file, path] :
       {std::pair(&pagemap, "/proc/self/pagemap"), std::pair(&kpageflags, "/proc/kpageflags")}) {
    if (!file->is_open())
      return unavailable(fmt::format("cannot open {}", path), std::strerror(file->error()),
                         kPrivilege);
  }
  std::vector<PageState> states;
  for (const Region& region : regions) {
    std::vector<std::uint64_t> entries(region.size / kPageSize);
    if (!pagemap.read(region.start / kPageSize, entries))
      return failed("cannot read /proc/self/pagemap", std::strerror(errno));
    for (const std::uint64_t entry : entries) {
      PageState& state = states.emplace_back();
      state.swapped = (entry & kSwapped) != 0;
      if ((entry & kPresent) == 0) continue;
      state.frame = entry & kFrameMask;
      if (state.frame == 0)
        return unavailable("cannot see physical frames", "the kernel hides them", kPrivilege);
      if (!kpageflags.read(state.frame, std::span(&state.flags, 1)))
        return failed("cannot read /proc/kpageflags", std::strerror(errno));
    }
  }
  return states;
}

}  // namespace scenario
