// SPDX-License-Identifier: Apache-2.0
// Whoever writes when all others are gone needs no copy: the parent after its child has ended.
#include "scenario/memory.h"
#include "scenario/trial.h"
#include "scenario/writes.h"

namespace scenario {

Result<Truth> last_owner(const Options& options) {
  const std::uint64_t bytes = options.pages * kPageSize;
  const auto memory = map_private(bytes);
  if (!memory) return tl::unexpected<Failure>(memory.error());
  const Region region{reinterpret_cast<std::uint64_t>(*memory), bytes};
  const Writing write = write_each_page(region);
  if (auto filled = fill_and_settle([&] { static_cast<void>(write()); }); !filled)
    return tl::unexpected<Failure>(filled.error());
  const Trial trial{options.measure, {region}};
  auto child = watch_child(trial, [] { return Written{}; });
  if (!child) return tl::unexpected<Failure>(child.error());
  // What looked at the pages meanwhile may have put some into a batch.
  if (auto settled = flush_lru_batch(); !settled) return tl::unexpected<Failure>(settled.error());
  auto parent = watch(trial, Role::Parent, write);
  if (!parent) return tl::unexpected<Failure>(parent.error());
  if (auto all = expect(*parent, Mechanism::Reuse, options.pages); !all)
    return tl::unexpected<Failure>(all.error());
  return truth_of(options, trial, {*parent, *child});
}

}  // namespace scenario
