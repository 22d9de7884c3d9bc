// SPDX-License-Identifier: Apache-2.0
// MADV_WIPEONFORK: a child inherits the addresses but none of the pages. Its first writes allocate
// and copy nothing; where it reads first, the zero page is replaced.
#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "scenario/bystander.h"
#include "scenario/memory.h"
#include "scenario/trial.h"

namespace scenario {
namespace {

// The child that reads finds zeros, and gets what a fresh page gets: a frame in place of the zero
// page, or nothing where the kernel maps none.
Result<ProcessTruth> read_and_write(const Trial& trial) {
  const Region region = trial.regions[0];
  if (const std::uint64_t sum = read_each_page(region); sum != 0)
    return failed("the child inherited what was to be wiped", fmt::format("it read {}", sum));
  auto truth = watch(trial, Role::Child, write_each_page(region));
  if (!truth || !truth->breaks || truth->breaks->empty()) return truth;
  if (auto all = expect(*truth, Mechanism::ZeroFill, region.size / kPageSize); !all)
    return tl::unexpected<Failure>(all.error());
  return truth;
}

}  // namespace

Result<Truth> wipeonfork(const Options& options) {
  const std::uint64_t bytes = options.pages * kPageSize;
  const auto memory = map_private(bytes);
  if (!memory) return tl::unexpected<Failure>(memory.error());
  const Region region{reinterpret_cast<std::uint64_t>(*memory), bytes};
  const Writing write = write_each_page(region);
  static_cast<void>(write());
  if (::madvise(*memory, bytes, MADV_WIPEONFORK) != 0)
    return unavailable("cannot use MADV_WIPEONFORK", std::strerror(errno), "use Linux 4.14");
  const Trial trial{.measure = options.measure, .regions = {region}, .write_protected = false};
  // The parent's pages stay its own: it writes them while a child lives.
  auto parent = [&]() -> Result<ProcessTruth> {
    const auto bystander = Bystander::fork();
    if (!bystander) return tl::unexpected<Failure>(bystander.error());
    return watch(trial, Role::Parent, write);
  }();
  if (!parent) return tl::unexpected<Failure>(parent.error());
  auto written_first = watch_child(trial, write);
  if (!written_first) return tl::unexpected<Failure>(written_first.error());
  auto read_first = in_child([&] { return read_and_write(trial); });
  if (!read_first) return tl::unexpected<Failure>(read_first.error());
  for (const ProcessTruth* process : {&*parent, &*written_first}) {
    if (auto none = expect_nothing(*process); !none) return tl::unexpected<Failure>(none.error());
  }
  return truth_of(options, trial, {*parent, *written_first, *read_first});
}

}  // namespace scenario
