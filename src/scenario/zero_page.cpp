// SPDX-License-Identifier: Apache-2.0
// Fresh anonymous pages that are read first: all of them map the zero page, and a write replaces it
// by a frame. No sharing is broken.
#include "scenario/memory.h"
#include "scenario/trial.h"
#include "scenario/writes.h"

namespace scenario {
namespace {

// A kernel that maps no zero page allocates for the read, and nothing is left for the write to do.
Result<void> check_zero_page(const ProcessTruth& parent, std::uint64_t pages) {
  if (!parent.breaks || !parent.breaks->empty()) return expect(parent, Mechanism::ZeroFill, pages);
  return unavailable("pages that were only read have frames of their own",
                     "this kernel maps no zero page", "use a stock kernel");
}

}  // namespace

Result<Truth> zero_page(const Options& options) {
  const std::uint64_t bytes = options.pages * kPageSize;
  const auto memory = map_private(bytes);
  if (!memory) return tl::unexpected<Failure>(memory.error());
  const Region region{reinterpret_cast<std::uint64_t>(*memory), bytes};
  read_each_page(region);
  const Trial trial{.measure = options.measure, .regions = {region}, .write_protected = false};
  auto parent = watch(trial, Role::Parent, write_each_page(region));
  if (!parent) return tl::unexpected<Failure>(parent.error());
  if (auto all = check_zero_page(*parent, options.pages); !all)
    return tl::unexpected<Failure>(all.error());
  return truth_of(options, trial, {*parent});
}

}  // namespace scenario
