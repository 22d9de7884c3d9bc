// SPDX-License-Identifier: Apache-2.0
// mprotect to nothing, to read-only and back. A process that owns its pages alone pays at most a
// fault for each (older kernels leave them write-protected), never a copy. A child that shares them
// gets its copies by the same faults as ever, here after a write barrier: its handler of SIGSEGV
// allows the write that was refused.
#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "scenario/faults.h"
#include "scenario/memory.h"
#include "scenario/trial.h"

namespace scenario {
namespace {

Result<void> protect(Region region, int protection) {
  if (::mprotect(reinterpret_cast<void*>(region.start), region.size, protection) == 0) return {};
  return unavailable(fmt::format("cannot protect {} bytes", region.size), std::strerror(errno),
                     "use fewer --pages");
}

Result<ProcessTruth> protect_and_write(const Trial& trial) {
  const Region region = trial.regions[0];
  for (const int protection : {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE}) {
    if (auto done = protect(region, protection); !done)
      return tl::unexpected<Failure>(done.error());
  }
  std::vector<std::uint64_t> faulted;
  auto truth = watch(trial, Role::Parent, [&]() -> Result<Written> {
    faulted = store_and_count_faults(region);
    return pages_of(region);
  });
  if (truth) add_reuses(*truth, faulted);
  return truth;
}

Region guarded;  // by the handler

void allow_write(int, siginfo_t* info, void*) {
  const auto address = reinterpret_cast<std::uint64_t>(info->si_addr);
  const Region page{address / kPageSize * kPageSize, kPageSize};
  if (page.start < guarded.start || page.start >= guarded.start + guarded.size ||
      !protect(page, PROT_READ | PROT_WRITE))
    ::signal(SIGSEGV, SIG_DFL);  // not ours: the next attempt ends the process
}

Result<ProcessTruth> write_through_barrier(const Trial& trial) {
  guarded = trial.regions[0];
  struct sigaction action {};
  action.sa_sigaction = allow_write;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGSEGV, &action, nullptr);
  if (auto done = protect(guarded, PROT_READ); !done) return tl::unexpected<Failure>(done.error());
  return watch(trial, Role::Child, write_each_page(guarded));
}

}  // namespace

Result<Truth> protect_memory(const Options& options) {
  const std::uint64_t bytes = options.pages * kPageSize;
  const auto memory = map_private(bytes);
  if (!memory) return tl::unexpected<Failure>(memory.error());
  const Region region{reinterpret_cast<std::uint64_t>(*memory), bytes};
  if (auto filled = fill_and_settle([&] { store_each_page(region); }); !filled)
    return tl::unexpected<Failure>(filled.error());
  const Trial trial{.measure = options.measure, .regions = {region}, .write_protected = false};
  auto parent = protect_and_write(trial);
  if (!parent) return tl::unexpected<Failure>(parent.error());
  auto child = in_child([&] { return write_through_barrier(trial); });
  if (!child) return tl::unexpected<Failure>(child.error());
  for (const auto& [process, copies] :
       {std::pair(&*parent, std::uint64_t{0}), std::pair(&*child, options.pages)}) {
    if (auto as_expected = expect(*process, Mechanism::Copy, copies); !as_expected)
      return tl::unexpected<Failure>(as_expected.error());
  }
  return truth_of(options, trial, {*parent, *child});
}

}  // namespace scenario
