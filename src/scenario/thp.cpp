// SPDX-License-Identifier: Apache-2.0
// A write into an inherited transparent huge page: its mapping is split, and one base page of it is
// copied, not 2 MiB. Every fourth page is written: the others stay shared.
#include <sys/mman.h>

#include "scenario/huge.h"
#include "scenario/memory.h"
#include "scenario/settings.h"
#include "scenario/trial.h"
#include "scenario/writes.h"

namespace scenario {
namespace {

Result<void> fill(const std::vector<Region>& regions) {
  for (const Region& region : regions) {
    if (auto filled = fill_and_settle([&] { static_cast<void>(write_each_page(region)()); });
        !filled)
      return filled;
    // khugepaged must not put together again what the write takes apart.
    ::madvise(reinterpret_cast<void*>(region.start), region.size, MADV_NOHUGEPAGE);
  }
  return {};
}

}  // namespace

Result<Truth> thp(const Options& options) {
  Settings settings;
  if (auto on = allow_transparent_huge_pages(settings); !on)
    return tl::unexpected<Failure>(on.error());
  const auto regions = map_huge_regions(huge_pages(options.pages));
  if (!regions) return tl::unexpected<Failure>(regions.error());
  if (auto filled = fill(*regions); !filled) return tl::unexpected<Failure>(filled.error());
  Trial trial{options.measure, *regions};
  trial.huge = true;
  const auto before = look(trial);
  if (!before) return tl::unexpected<Failure>(before.error());
  for (const Entry entry : before->entries) {
    if (entry != Entry::Huge)
      return unavailable("cannot get a transparent huge page", "the kernel has none free",
                         "free some memory");
  }
  std::vector<ProcessTruth> children;
  for (std::uint64_t i = 0; i < options.children; ++i) {
    auto child = watch_child(trial, write_sparsely(*regions));
    if (!child) return tl::unexpected<Failure>(child.error());
    for (const auto& [mechanism, count] :
         {std::pair(Mechanism::HugeSplit, regions->size()),
          std::pair(Mechanism::Copy, regions->size() * kPagesPerHuge / kSparse)}) {
      if (auto all = expect(*child, mechanism, count); !all)
        return tl::unexpected<Failure>(all.error());
    }
    children.push_back(std::move(*child));
  }
  return truth_of(options, trial, std::move(children));
}

}  // namespace scenario
