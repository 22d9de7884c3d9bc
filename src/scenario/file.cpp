// SPDX-License-Identifier: Apache-2.0
#include "scenario/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

namespace scenario {
namespace {

// Fills `file` and maps it; closes it.
Result<Region> fill_and_map(int file, std::uint64_t bytes, int flags) {
  const std::string page(kPageSize, 'f');
  for (std::uint64_t offset = 0; offset < bytes; offset += kPageSize) {
    if (::pwrite(file, page.data(), kPageSize, static_cast<off_t>(offset)) == kPageSize) continue;
    const int error = errno;
    ::close(file);
    return unavailable(fmt::format("cannot fill a file of {} bytes", bytes), std::strerror(error),
                       "use fewer --pages");
  }
  // Clean pages: else the first write has nothing to tell the file system.
  ::fsync(file);
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, file, 0);
  const int error = errno;
  ::close(file);
  if (memory == MAP_FAILED)
    return unavailable(fmt::format("cannot map {} bytes", bytes), std::strerror(error),
                       "use fewer --pages");
  return Region{reinterpret_cast<std::uint64_t>(memory), bytes};
}

}  // namespace

Result<Region> map_memory_file(std::uint64_t bytes, int flags) {
  const int file = ::memfd_create("scenario", MFD_CLOEXEC);
  if (file < 0) return unavailable("cannot make a file in memory", std::strerror(errno));
  return fill_and_map(file, bytes, flags);
}

Result<std::optional<Region>> map_disk_file(std::uint64_t bytes, int flags) {
  const char* directory = std::getenv("TMPDIR");
  if (directory == nullptr) directory = "/tmp";
  const int file = ::open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file < 0) return std::nullopt;
  auto region = fill_and_map(file, bytes, flags);
  if (!region) return tl::unexpected<Failure>(region.error());
  return *region;
}

}  // namespace scenario
