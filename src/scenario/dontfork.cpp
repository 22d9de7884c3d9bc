// SPDX-License-Identifier: Apache-2.0
// MADV_DONTFORK: a child does not get the mapping at all, so the parent's pages stay its own, and
// what the child maps at the same addresses is other memory.
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "scenario/bystander.h"
#include "scenario/memory.h"
#include "scenario/trial.h"

namespace scenario {
namespace {

Result<ProcessTruth> map_and_write(const Trial& trial) {
  const Region region = trial.regions[0];
  const auto memory = map_private(region.size, region.start);
  if (!memory) return tl::unexpected<Failure>(memory.error());
  return watch(trial, Role::Child, write_each_page(region));
}

}  // namespace

Result<Truth> dontfork(const Options& options) {
  const std::uint64_t bytes = options.pages * kPageSize;
  const auto memory = map_private(bytes);
  if (!memory) return tl::unexpected<Failure>(memory.error());
  const Region region{reinterpret_cast<std::uint64_t>(*memory), bytes};
  const Writing write = write_each_page(region);
  static_cast<void>(write());
  if (::madvise(*memory, bytes, MADV_DONTFORK) != 0)
    return unavailable("cannot use MADV_DONTFORK", std::strerror(errno));
  const Trial trial{.measure = options.measure, .regions = {region}, .write_protected = false};
  auto parent = [&]() -> Result<ProcessTruth> {
    const auto bystander = Bystander::fork();
    if (!bystander) return tl::unexpected<Failure>(bystander.error());
    return watch(trial, Role::Parent, write);
  }();
  if (!parent) return tl::unexpected<Failure>(parent.error());
  auto child = in_child([&] { return map_and_write(trial); });
  if (!child) return tl::unexpected<Failure>(child.error());
  for (const ProcessTruth* process : {&*parent, &*child}) {
    if (auto none = expect_nothing(*process); !none) return tl::unexpected<Failure>(none.error());
  }
  return truth_of(options, trial, {*parent, *child});
}

}  // namespace scenario
