// SPDX-License-Identifier: Apache-2.0
// vfork: the child runs in the parent's memory while the parent waits. Nothing becomes shared
// between address spaces, so neither the child's writes nor the parent's later ones fault.
#include <sched.h>

#include "scenario/memory.h"
#include "scenario/same_memory.h"
#include "scenario/trial.h"

namespace scenario {

Result<Truth> vfork_child(const Options& options) {
  const std::uint64_t bytes = options.pages * kPageSize;
  const auto memory = map_private(bytes);
  if (!memory) return tl::unexpected<Failure>(memory.error());
  const Region region{reinterpret_cast<std::uint64_t>(*memory), bytes};
  const Writing write = write_each_page(region);
  static_cast<void>(write());
  const Trial trial{.measure = options.measure, .regions = {region}, .write_protected = false};
  auto parent = watch(trial, Role::Parent, [&]() -> Result<Written> {
    const auto child = run_in_same_memory(CLONE_VFORK, [&] { store_each_page(region); });
    if (!child) return tl::unexpected<Failure>(child.error());
    return write();
  });
  if (!parent) return tl::unexpected<Failure>(parent.error());
  if (auto none = expect_nothing(*parent); !none) return tl::unexpected<Failure>(none.error());
  return truth_of(options, trial, {*parent});
}

}  // namespace scenario
