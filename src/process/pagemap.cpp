// SPDX-License-Identifier: Apache-2.0
#include "process/pagemap.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include "base/units.h"

namespace cowtrace::process {
namespace {

// The ABI of PAGEMAP_SCAN (include/uapi/linux/fs.h since 6.7), here because older headers lack it.
struct PmScanArg {
  std::uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
  std::uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
static_assert(sizeof(PmScanArg) == 96);
struct PmRegion {
  std::uint64_t start, end, categories;
};
static_assert(sizeof(PmRegion) == 24);
constexpr unsigned long kPagemapScan = _IOWR('f', 16, PmScanArg);
constexpr std::uint64_t kPageIsFile = 1 << 2;
constexpr std::uint64_t kPageIsPresent = 1 << 3;

constexpr std::uint64_t kWorthJoining = 32;  // pages

void append(std::vector<PageRange>& ranges, PageRange next) {
  if (!ranges.empty() && next.start - ranges.back().end <= kWorthJoining) {
    ranges.back().end = next.end;
  } else {
    ranges.push_back(next);
  }
}

}  // namespace

Result<Pagemap> Pagemap::open(pid_t tid) {
  const std::string path = "/proc/" + std::to_string(tid) + "/pagemap";
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno("cannot open " + path, errno);
  return Pagemap(std::move(file));
}

Result<std::size_t> Pagemap::read(std::uint64_t start_page, std::span<std::uint64_t> out) const {
  constexpr std::uint64_t kEntry = sizeof(std::uint64_t);
  if (start_page > std::uint64_t{INT64_MAX} / kEntry) {
    return fail("cannot read pagemap", "page " + hex(start_page) + " is beyond any address space");
  }
  std::size_t done = 0;
  while (done < out.size()) {
    const auto offset = static_cast<off_t>((start_page + done) * kEntry);
    const ssize_t got =
        ::pread(file_.get(), out.data() + done, (out.size() - done) * kEntry, offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("cannot read pagemap", errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got) / kEntry;
  }
  return done;
}

Result<bool> Pagemap::scan_present(PageRange pages, std::vector<PageRange>& out) const {
  std::array<PmRegion, 512> regions = {};
  PmScanArg arg = {};
  arg.size = sizeof(arg);
  arg.start = pages.start * kPageSize;
  arg.end = pages.end * kPageSize;
  arg.vec = reinterpret_cast<std::uint64_t>(regions.data());
  arg.vec_len = regions.size();
  arg.category_mask = kPageIsPresent | kPageIsFile;
  arg.category_inverted = kPageIsFile;
  arg.return_mask = kPageIsPresent;
  std::vector<PageRange> found;
  while (arg.start < arg.end) {
    const int count = ::ioctl(file_.get(), kPagemapScan, &arg);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == ENOTTY || errno == EINVAL)) return false;
    if (count < 0 && errno == ESRCH)
      break;  // the address space is gone: as with read(), nothing is there
    if (count < 0) return fail_errno("cannot scan pagemap", errno);
    for (const PmRegion& region : std::span(regions).first(static_cast<std::size_t>(count))) {
      append(found, {region.start / kPageSize, region.end / kPageSize});
    }
    if (arg.walk_end <= arg.start) break;
    arg.start = arg.walk_end;
  }
  out.insert(out.end(), found.begin(), found.end());
  return true;
}

}  // namespace cowtrace::process
