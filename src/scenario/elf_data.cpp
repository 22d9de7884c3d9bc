// SPDX-License-Identifier: Apache-2.0
// Initialised variables of a program (.data) are a private mapping of its file: the first write to
// a page copies the file's page, in each process again.
#include <algorithm>
#include <array>

#include "scenario/trial.h"

namespace scenario {

// As much .data as the program carries for this; nobody but the experiment touches it. Not all
// zeros, or it would be .bss, which is no part of the file.
constexpr std::uint64_t kElfPages = 512;
struct alignas(kPageSize) ElfData {
  std::array<std::uint64_t, kElfPages * kPageSize / sizeof(std::uint64_t)> words;
};
extern ElfData elf_data_pages;
ElfData elf_data_pages = {{1}};

Result<Truth> elf_data(const Options& options) {
  const std::uint64_t pages = std::min(options.pages, kElfPages);
  const Region region{reinterpret_cast<std::uint64_t>(&elf_data_pages), pages * kPageSize};
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
    if (auto all = expect(*process, Mechanism::FileCopy, pages); !all)
      return tl::unexpected<Failure>(all.error());
  }
  return truth_of(options, trial, {*written_first, *read_first});
}

}  // namespace scenario
