// SPDX-License-Identifier: Apache-2.0
// A debugger writes one word on each inherited page of its target with PTRACE_POKEDATA, as it does
// to set breakpoints: the target's pages are copied in the debugger's context.
#include <fmt/format.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>

#include "scenario/memory.h"
#include "scenario/trial.h"

namespace scenario {
namespace {

// Of this process; 0: nobody.
int tracer() {
  std::ifstream status("/proc/self/status");
  const std::string field = "TracerPid:";
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field)) return std::stoi(line.substr(field.size()));
  }
  return 0;
}

// By its number: debuggers and profilers warn about programs that import ptrace, and it is this one
// experiment alone that uses it.
long trace(long request, pid_t target, std::uint64_t address = 0, std::uint64_t data = 0) {
  return ::syscall(SYS_ptrace, request, target, address, data);
}

// In the actor: one word on each page of its parent's region.
int poke(pid_t target, Region region) {
  if (trace(PTRACE_SEIZE, target) != 0) return errno;
  int status = 0;
  if (trace(PTRACE_INTERRUPT, target) != 0 || ::waitpid(target, &status, __WALL) != target)
    return errno;
  for (const std::uint64_t address : each_page(region)) {
    if (trace(PTRACE_POKEDATA, target, address, 3) != 0) return errno;
  }
  return trace(PTRACE_DETACH, target) == 0 ? 0 : errno;
}

}  // namespace

Result<Truth> ptrace_poke(const Options& options) {
  const std::uint64_t bytes = options.pages * kPageSize;
  const auto memory = map_private(bytes);
  if (!memory) return tl::unexpected<Failure>(memory.error());
  const Region region{reinterpret_cast<std::uint64_t>(*memory), bytes};
  if (auto filled = fill_and_settle([&] { static_cast<void>(write_each_page(region)()); }); !filled)
    return tl::unexpected<Failure>(filled.error());
  const Trial trial{options.measure, {region}};
  auto child = in_child([&]() -> Result<ProcessTruth> {
    if (const int other = tracer(); other != 0)
      return unavailable("cannot be traced", fmt::format("process {} traces it already", other),
                         "let that one leave ptrace alone (cowtrace: --snapshot passive)");
    return watch_actor(trial, "poking-debugger",
                       [&](pid_t target) { return poke(target, region); });
  });
  if (!child) return tl::unexpected<Failure>(child.error());
  if (auto all = expect(*child, Mechanism::Copy, options.pages); !all)
    return tl::unexpected<Failure>(all.error());
  Truth truth = truth_of(options, trial, {*child});
  truth.no_exception = true;
  return truth;
}

}  // namespace scenario
