// SPDX-License-Identifier: Apache-2.0
// A private mapping of a file: a page written first copies the file's page without ever mapping it;
// one that was read first is mapped and then copied. Either way the process gets its own.
#include <sys/mman.h>

#include "scenario/file.h"
#include "scenario/trial.h"

namespace scenario {

Result<Truth> file_private(const Options& options) {
  const auto mapped = map_memory_file(options.pages * kPageSize, MAP_PRIVATE);
  if (!mapped) return tl::unexpected<Failure>(mapped.error());
  const Region region = *mapped;
  const Trial trial{.measure = options.measure, .regions = {region}, .private_file = true};
  // The first child only writes; the second reads every page before.
  auto written_first = watch_child(trial, write_each_page(region));
  if (!written_first) return tl::unexpected<Failure>(written_first.error());
  auto read_first = in_child([&]() -> Result<ProcessTruth> {
    read_each_page(region);
    return watch(trial, Role::Child, write_each_page(region));
  });
  if (!read_first) return tl::unexpected<Failure>(read_first.error());
  for (const ProcessTruth* process : {&*written_first, &*read_first}) {
    if (auto all = expect(*process, Mechanism::FileCopy, options.pages); !all)
      return tl::unexpected<Failure>(all.error());
  }
  return truth_of(options, trial, {*written_first, *read_first});
}

}  // namespace scenario
