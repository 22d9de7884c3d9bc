// SPDX-License-Identifier: Apache-2.0
#include "scenario/memory.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "scenario/truth.h"
#include "scenario/writes.h"

namespace scenario {
namespace {

// While it lives this thread stays on the CPU it is on.
class StayOnCpu {
 public:
  StayOnCpu() {
    if (::sched_getaffinity(0, sizeof(before_), &before_) != 0) return;
    cpu_set_t here;
    CPU_ZERO(&here);
    const int cpu = ::sched_getcpu();
    if (cpu < 0 || cpu >= CPU_SETSIZE) return;
    CPU_SET(cpu, &here);
    pinned_ = ::sched_setaffinity(0, sizeof(here), &here) == 0;
  }
  ~StayOnCpu() {
    if (pinned_) ::sched_setaffinity(0, sizeof(before_), &before_);
  }
  StayOnCpu(const StayOnCpu&) = delete;
  StayOnCpu& operator=(const StayOnCpu&) = delete;

 private:
  cpu_set_t before_{};
  bool pinned_ = false;
};

// The kernel empties the batches of all CPUs before it migrates anything (lru_cache_disable(),
// before 5.13 migrate_prep()); a page that is where it should be stays. A kernel without migration
// has to do with flush_lru_batch().
void flush_all_lru_batches(std::byte* page) {
  constexpr int kMove = 2;  // MPOL_MF_MOVE
  void* pages[] = {page};
  const int nodes[] = {0};
  int status[] = {0};
  ::syscall(SYS_move_pages, 0, 1UL, pages, nodes, status, kMove);
}

}  // namespace

// A frame that is still in a CPU's LRU batch has one reference more than owners, and its last
// owner gets a copy where it should reuse. Batches hold at most 31; frames of our own push the
// ground's out.
Result<void> flush_lru_batch() {
  constexpr std::uint64_t kFrames = 256;
  const auto memory = map_private(kFrames * kPageSize);
  if (!memory) return tl::unexpected<Failure>(memory.error());
  for (std::uint64_t i = 0; i < kFrames; ++i) store(*memory + i * kPageSize, std::uint64_t{1});
  flush_all_lru_batches(*memory);
  ::munmap(*memory, kFrames * kPageSize);
  return {};
}

Result<std::byte*> map_private(std::uint64_t bytes, std::uint64_t address) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | (address != 0 ? MAP_FIXED_NOREPLACE : 0);
  void* memory =
      ::mmap(reinterpret_cast<void*>(address), bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (memory == MAP_FAILED) {
    return unavailable(fmt::format("cannot map {} bytes", bytes), std::strerror(errno),
                       "use fewer --pages");
  }
  // Base pages only, whatever the machine's policy; a kernel without THP answers EINVAL and needs
  // nothing.
  ::madvise(memory, bytes, MADV_NOHUGEPAGE);
  return static_cast<std::byte*>(memory);
}

Result<void> fill_and_settle(const std::function<void()>& fill) {
  const StayOnCpu stay;
  fill();
  return flush_lru_batch();
}

}  // namespace scenario
