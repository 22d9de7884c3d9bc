// SPDX-License-Identifier: Apache-2.0
// Fresh memory for huge pages that is read maps the huge zero page. A write replaces it: by one
// base page after a split on older kernels, by a whole huge page on newer ones. Nothing was shared.
#include "scenario/huge.h"
#include "scenario/settings.h"
#include "scenario/trial.h"
#include "scenario/writes.h"

namespace scenario {
namespace {

Result<void> use_huge_zero_page(Settings& settings) {
  if (auto on = allow_transparent_huge_pages(settings); !on) return on;
  return settings.set("/sys/kernel/mm/transparent_hugepage/use_zero_page", "1");
}

std::uint64_t count(const ProcessTruth& process, Mechanism mechanism) {
  const auto found = process.breaks->find(mechanism);
  return found == process.breaks->end() ? 0 : found->second.size();
}

}  // namespace

Result<Truth> thp_zero(const Options& options) {
  Settings settings;
  if (auto ready = use_huge_zero_page(settings); !ready)
    return tl::unexpected<Failure>(ready.error());
  const auto regions = map_huge_regions(huge_pages(options.pages));
  if (!regions) return tl::unexpected<Failure>(regions.error());
  for (const Region& region : *regions)
    static_cast<void>(load<std::uint64_t>(reinterpret_cast<const std::byte*>(region.start)));
  Trial trial{options.measure, *regions};
  trial.huge = true;
  const auto before = look(trial);
  if (!before) return tl::unexpected<Failure>(before.error());
  for (const Entry entry : before->entries) {
    if (entry != Entry::HugeZero)
      return unavailable("cannot get the huge zero page", "this kernel does not map it for reads");
  }
  auto parent = watch(trial, Role::Parent, write_sparsely(*regions));
  if (!parent) return tl::unexpected<Failure>(parent.error());
  if (parent->breaks) {
    // What was split was filled page by page.
    const std::uint64_t split = count(*parent, Mechanism::HugeSplit);
    if (auto all = expect(*parent, Mechanism::HugeZeroFill, regions->size() - split); !all)
      return tl::unexpected<Failure>(all.error());
    if (auto all = expect(*parent, Mechanism::ZeroFill, split * kPagesPerHuge / kSparse); !all)
      return tl::unexpected<Failure>(all.error());
  }
  return truth_of(options, trial, {*parent});
}

}  // namespace scenario
