// SPDX-License-Identifier: Apache-2.0
// Shared mappings of files: everybody writes the same frames. A file on a disk is mapped read-only
// until its file system knows of the write, so there are write faults, but they copy nothing.
#include <sys/mman.h>

#include "scenario/file.h"
#include "scenario/trial.h"

namespace scenario {

Result<Truth> file_shared(const Options& options) {
  const std::uint64_t bytes = options.pages * kPageSize;
  const auto in_memory = map_memory_file(bytes, MAP_SHARED);
  if (!in_memory) return tl::unexpected<Failure>(in_memory.error());
  const auto on_disk = map_disk_file(bytes, MAP_SHARED);
  if (!on_disk) return tl::unexpected<Failure>(on_disk.error());
  Trial trial{.measure = options.measure, .regions = {*in_memory}};
  if (*on_disk) trial.regions.push_back(**on_disk);
  // The first child only writes; the second reads every page before.
  auto written_first = watch_child(trial, write_each_page(trial.regions));
  if (!written_first) return tl::unexpected<Failure>(written_first.error());
  auto read_first = in_child([&]() -> Result<ProcessTruth> {
    for (const Region& region : trial.regions) read_each_page(region);
    return watch(trial, Role::Child, write_each_page(trial.regions));
  });
  if (!read_first) return tl::unexpected<Failure>(read_first.error());
  for (const ProcessTruth* process : {&*written_first, &*read_first}) {
    if (auto none = expect_nothing(*process); !none) return tl::unexpected<Failure>(none.error());
  }
  return truth_of(options, trial, {*written_first, *read_first});
}

}  // namespace scenario
