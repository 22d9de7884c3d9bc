// SPDX-License-Identifier: Apache-2.0
// CLONE_VM without CLONE_THREAD: two processes in one address space, which shares its pages with a
// third process. The first of the two to write a page breaks it for both; the other has nothing
// left to break. The pages are those of the process that made the address space.
#include <sys/prctl.h>

#include "scenario/bystander.h"
#include "scenario/memory.h"
#include "scenario/same_memory.h"
#include "scenario/trial.h"

namespace scenario {
namespace {

constexpr const char* kActor = "clone-writer";

// The clone writes every page, then this process does.
Result<ProcessTruth> watch_both(const Trial& trial) {
  const Region region = trial.regions[0];
  pid_t clone = 0;
  auto truth = watch(trial, Role::Parent, [&]() -> Result<Written> {
    const auto ended = run_in_same_memory(0, [&] {
      ::prctl(PR_SET_NAME, kActor);
      store_each_page(region);
    });
    if (!ended) return tl::unexpected<Failure>(ended.error());
    clone = *ended;
    return write_each_page(region)();
  });
  if (truth) truth->actor = Actor{clone, kActor};
  return truth;
}

}  // namespace

Result<Truth> clone_vm(const Options& options) {
  const std::uint64_t bytes = options.pages * kPageSize;
  const auto memory = map_private(bytes);
  if (!memory) return tl::unexpected<Failure>(memory.error());
  const Region region{reinterpret_cast<std::uint64_t>(*memory), bytes};
  store_each_page(region);
  const auto bystander = Bystander::fork();
  if (!bystander) return tl::unexpected<Failure>(bystander.error());
  const Trial trial{.measure = options.measure, .regions = {region}};
  auto parent = watch_both(trial);
  if (!parent) return tl::unexpected<Failure>(parent.error());
  if (auto all = expect(*parent, Mechanism::Copy, options.pages); !all)
    return tl::unexpected<Failure>(all.error());
  return truth_of(options, trial, {*parent});
}

}  // namespace scenario
