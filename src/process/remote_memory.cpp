// SPDX-License-Identifier: Apache-2.0
#include "process/remote_memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/units.h"

namespace cowtrace::process {

Status RemoteMemory::read_exact(std::uint64_t address, std::span<std::byte> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const auto got = read(address + done, out.subspan(done));
    if (!got) return tl::unexpected<Error>(got.error());
    if (*got == 0 || *got > out.size() - done) {
      return fail("cannot read memory at " + hex(address + done), "nothing came back");
    }
    done += *got;
  }
  return {};
}

Result<std::string> RemoteMemory::read_string(std::uint64_t address, std::size_t limit) {
  std::string text;
  std::array<std::byte, 256> block = {};
  while (text.size() < limit) {
    // Never across a page: the string may end just before one that is not there.
    const std::uint64_t at = address + text.size();
    const std::size_t wanted = std::min({block.size(), limit - text.size(),
                                         static_cast<std::size_t>(page_of(at) + kPageSize - at)});
    const auto got = read(at, std::span(block).first(wanted));
    if (!got) return tl::unexpected<Error>(got.error());
    if (*got == 0) return fail("cannot read memory at " + hex(at), "nothing came back");
    const char* begin = reinterpret_cast<const char*>(block.data());
    const char* end = begin + std::min(*got, wanted);
    const char* nul = std::find(begin, end, '\0');
    text.append(begin, nul);
    if (nul != end) break;
  }
  return text;
}

Result<ProcMem> ProcMem::open(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/mem";
  Fd memory(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!memory) return fail_errno("cannot open " + path, errno, "run as root");
  auto pagemap = Pagemap::open(pid);
  if (!pagemap) return tl::unexpected<Error>(pagemap.error());
  return ProcMem(std::move(memory), std::move(*pagemap));
}

Result<std::size_t> ProcMem::present_bytes(std::uint64_t address, std::size_t wanted) {
  const std::uint64_t first = address / kPageSize;
  const std::uint64_t last = (address + wanted - 1) / kPageSize;
  std::array<std::uint64_t, 512> entries;
  for (std::uint64_t page = first; page <= last;) {
    const auto block = std::span(entries).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(entries.size(), last - page + 1)));
    const auto got = pagemap_.read(page, block);
    if (!got) return tl::unexpected<Error>(got.error());
    for (std::size_t i = 0; i < block.size(); ++i, ++page) {
      const PageEntry entry{i < *got ? block[i] : 0};
      if (entry.present()) continue;
      ++absent_pages_;
      if (entry.swapped()) ++swapped_pages_;
      return page == first ? 0 : static_cast<std::size_t>(page * kPageSize - address);
    }
  }
  return wanted;
}

Result<std::size_t> ProcMem::read(std::uint64_t address, std::span<std::byte> out) {
  if (out.empty()) return std::size_t{0};
  if (address > std::uint64_t{INT64_MAX} || out.size() > std::uint64_t{INT64_MAX} - address) {
    return fail("cannot read memory at " + hex(address), "no address of a process");
  }
  auto readable = present_bytes(address, out.size());
  if (!readable) return readable;
  if (*readable == 0) {
    return fail("cannot read memory at " + hex(address), "its page is not present");
  }
  for (;;) {
    const ssize_t got = ::pread(memory_.get(), out.data(), *readable, static_cast<off_t>(address));
    if (got > 0) return static_cast<std::size_t>(got);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("cannot read memory at " + hex(address), errno);
    return fail("cannot read memory at " + hex(address), "the address space is gone");
  }
}

}  // namespace cowtrace::process
