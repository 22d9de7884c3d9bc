// SPDX-License-Identifier: Apache-2.0
// Another process writes through /proc/PID/mem: get_user_pages breaks the sharing in its context,
// and no exception is raised.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "scenario/memory.h"
#include "scenario/trial.h"
#include "scenario/writes.h"

namespace scenario {
namespace {

constexpr const char* kActor = "gup-writer";

// In the actor: one word on each page of its parent's region.
bool write_into(pid_t target, Region region) {
  const int memory = ::open(fmt::format("/proc/{}/mem", target).c_str(), O_RDWR | O_CLOEXEC);
  const std::uint64_t word = 3;
  for (std::uint64_t offset = 0; memory >= 0 && offset < region.size; offset += kPageSize) {
    const std::uint64_t address = region.start + offset + offset_in_page(offset / kPageSize);
    if (::pwrite(memory, &word, sizeof(word), static_cast<off_t>(address)) != sizeof(word))
      return false;
  }
  return memory >= 0;
}

Result<ProcessTruth> be_written(const Trial& trial) {
  pid_t actor = 0;
  const Region region = trial.regions[0];
  auto truth = watch(trial, Role::Child, [&]() -> Result<Written> {
    const pid_t target = ::getpid();
    actor = ::fork();
    if (actor < 0) return unavailable("cannot fork", std::strerror(errno), "raise the limits");
    if (actor == 0) {
      ::prctl(PR_SET_NAME, kActor);
      ::_exit(write_into(target, region) ? 0 : errno);
    }
    int status = 0;
    while (::waitpid(actor, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
      return unavailable("cannot write through /proc/PID/mem",
                         WIFEXITED(status) ? std::strerror(WEXITSTATUS(status)) : "killed",
                         "run it as root");
    return pages_of(region);
  });
  if (truth) truth->actor = Actor{actor, kActor};
  return truth;
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
  auto child = in_child([&] { return be_written(trial); });
  if (!child) return tl::unexpected<Failure>(child.error());
  if (auto all = expect(*child, Mechanism::Copy, options.pages); !all)
    return tl::unexpected<Failure>(all.error());
  Truth truth = truth_of(options, trial, {*child});
  truth.no_exception = true;
  return truth;
}

}  // namespace scenario
