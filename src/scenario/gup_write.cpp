// SPDX-License-Identifier: Apache-2.0
// Another process writes through /proc/PID/mem: get_user_pages breaks the sharing in its context,
// and no exception is raised.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "scenario/memory.h"
#include "scenario/trial.h"

namespace scenario {
namespace {

// In the actor: one word on each page of its parent's region.
int write_into(pid_t target, Region region) {
  const int memory = ::open(fmt::format("/proc/{}/mem", target).c_str(), O_RDWR | O_CLOEXEC);
  if (memory < 0) return errno;
  const std::uint64_t word = 3;
  for (const std::uint64_t address : each_page(region)) {
    if (::pwrite(memory, &word, sizeof(word), static_cast<off_t>(address)) != sizeof(word))
      return errno;
  }
  return 0;
}

}  // namespace

Result<Truth> gup_write(const Options& options) {
  const std::uint64_t bytes = options.pages * kPageSize;
  const auto memory = map_private(bytes);
  if (!memory) return tl::unexpected<Failure>(memory.error());
  const Region region{reinterpret_cast<std::uint64_t>(*memory), bytes};
  if (auto filled = fill_and_settle([&] { static_cast<void>(write_each_page(region)()); }); !filled)
    return tl::unexpected<Failure>(filled.error());
  const Trial trial{options.measure, {region}};
  auto child = in_child([&] {
    return watch_actor(trial, "gup-writer",
                       [&](pid_t target) { return write_into(target, region); });
  });
  if (!child) return tl::unexpected<Failure>(child.error());
  if (auto all = expect(*child, Mechanism::Copy, options.pages); !all)
    return tl::unexpected<Failure>(all.error());
  Truth truth = truth_of(options, trial, {*child});
  truth.no_exception = true;
  return truth;
}

}  // namespace scenario
