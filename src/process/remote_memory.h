// SPDX-License-Identifier: Apache-2.0
// Reading another process's memory without disturbing it. The interface lets tests, snapshots and
// core dumps stand in for a process.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>

#include "base/fd.h"
#include "base/result.h"
#include "process/pagemap.h"

namespace cowtrace::process {

class RemoteMemory {
 public:
  virtual ~RemoteMemory() = default;

  // Copies bytes from `address` on. Returns how many were readable from there without a gap (at
  // least 1, at most out.size()); fails when not even the first is.
  [[nodiscard]] virtual Result<std::size_t> read(std::uint64_t address,
                                                 std::span<std::byte> out) = 0;

  // All of `out` or a failure.
  [[nodiscard]] Status read_exact(std::uint64_t address, std::span<std::byte> out);

  template <typename T>
  [[nodiscard]] Result<T> read_value(std::uint64_t address) {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    if (auto status = read_exact(address, std::as_writable_bytes(std::span(&value, 1))); !status) {
      return tl::unexpected<Error>(status.error());
    }
    return value;
  }

  // A NUL-terminated string, cut at `limit` bytes.
  [[nodiscard]] Result<std::string> read_string(std::uint64_t address, std::size_t limit);
};

// A live process. Only pages that pagemap says are present are read, with pread on /proc/PID/mem:
// process_vm_readv would pin them, and since kernel 5.19 a read pin gives the address space its own
// copy of a shared page.
class ProcMem final : public RemoteMemory {
 public:
  // `pid` may be a thread id. The two files stay open, so the memory stays readable as long as the
  // address space exists.
  [[nodiscard]] static Result<ProcMem> open(pid_t pid);

  [[nodiscard]] Result<std::size_t> read(std::uint64_t address, std::span<std::byte> out) override;

  // Pages that reads asked for and did not get because they were not in memory; of these, those
  // that are swapped out.
  [[nodiscard]] std::uint64_t absent_pages() const { return absent_pages_; }
  [[nodiscard]] std::uint64_t swapped_pages() const { return swapped_pages_; }

 private:
  ProcMem(Fd memory, Pagemap pagemap) : memory_(std::move(memory)), pagemap_(std::move(pagemap)) {}

  // Bytes from `address` on, at most `wanted`, that lie on present pages.
  [[nodiscard]] Result<std::size_t> present_bytes(std::uint64_t address, std::size_t wanted);

  Fd memory_;
  Pagemap pagemap_;
  std::uint64_t absent_pages_ = 0;
  std::uint64_t swapped_pages_ = 0;
};

}  // namespace cowtrace::process
