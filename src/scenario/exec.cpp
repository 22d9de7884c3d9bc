// SPDX-License-Identifier: Apache-2.0
// exec ends one address space and begins another under the same pid. The child copies pages that it
// inherited, executes this program anew, maps fresh memory at the same addresses, and copies other
// pages that it shares with a child of its own.
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>

#include "scenario/after_exec.h"
#include "scenario/bystander.h"
#include "scenario/memory.h"
#include "scenario/message.h"
#include "scenario/trial.h"

namespace scenario {
namespace {

// Both programs use the same addresses, far from where the kernel puts anything by itself, so that
// neither address space has other pages in the other's region.
constexpr std::uint64_t kBefore = 0x200'0000'0000;
constexpr std::uint64_t kAfter = 0x300'0000'0000;

Result<Region> map_and_fill(std::uint64_t start, std::uint64_t bytes) {
  const auto memory = map_private(bytes, start);
  if (!memory) return tl::unexpected<Failure>(memory.error());
  const Region region{start, bytes};
  store_each_page(region);
  return region;
}

// In the child; only a failure returns.
Failure write_and_exec(const Options& options, Region region, Channel& before, Channel& after) {
  const Trial trial{.measure = options.measure, .regions = {region}};
  const auto truth = watch(trial, Role::Child, write_each_page(region));
  if (!before.send(truth)) return {ExitStatus::Failed, "cannot tell", std::strerror(errno), ""};
  const auto writer = after.keep_across_exec();
  if (!writer) return writer.error();
  const std::string end = std::to_string(*writer), pages = std::to_string(options.pages),
                    measure = options.measure ? "1" : "0";
  ::execl("/proc/self/exe", "scenario", kAfterExec, end.c_str(), pages.c_str(), measure.c_str(),
          nullptr);
  return {ExitStatus::Unavailable, "cannot execute /proc/self/exe", std::strerror(errno),
          "mount /proc"};
}

// The same process, before and after.
ProcessTruth joined(ProcessTruth truth, const ProcessTruth& more) {
  truth.wrote += more.wrote;
  truth.cost += more.cost;
  truth.expected_copies += more.expected_copies;
  truth.copied.insert(truth.copied.end(), more.copied.begin(), more.copied.end());
  truth.first_writes.insert(truth.first_writes.end(), more.first_writes.begin(),
                            more.first_writes.end());
  if (!truth.breaks || !more.breaks) return truth;
  for (const auto& [mechanism, pages] : *more.breaks) {
    auto& all = (*truth.breaks)[mechanism];
    all.insert(all.end(), pages.begin(), pages.end());
  }
  return truth;
}

Result<ProcessTruth> two_lives(const Options& options, Region region) {
  auto before = Channel::open(), after = Channel::open();
  for (const auto* channel : {&before, &after}) {
    if (!*channel) return tl::unexpected<Failure>(channel->error());
  }
  const pid_t parent = ::getpid(), child = ::fork();
  if (child < 0) return unavailable("cannot fork", std::strerror(errno), "raise the limits");
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);  // it died before the line above
    const Failure failure = write_and_exec(options, region, *before, *after);
    static_cast<void>(after->send(tl::unexpected<Failure>(failure)));
    ::_exit(1);
  }
  auto first = before->receive();
  auto second = after->receive();
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (!first) return first;
  if (!second) return second;
  return joined(std::move(*first), *second);
}

Result<ProcessTruth> live_again(std::uint64_t pages, bool measure) {
  // Nobody else had these pages: they only have the addresses of those that were copied before.
  if (const auto same = map_and_fill(kBefore, pages * kPageSize); !same)
    return tl::unexpected<Failure>(same.error());
  const auto region = map_and_fill(kAfter, pages * kPageSize);
  if (!region) return tl::unexpected<Failure>(region.error());
  const auto bystander = Bystander::fork();
  if (!bystander) return tl::unexpected<Failure>(bystander.error());
  const Trial trial{.measure = measure, .regions = {*region}};
  return watch(trial, Role::Child, write_each_page(*region));
}

}  // namespace

int after_exec(int writer, std::uint64_t pages, bool measure) {
  return Channel::to(writer).send(live_again(pages, measure)) ? 0 : 1;
}

Result<Truth> exec(const Options& options) {
  const auto region = map_and_fill(kBefore, options.pages * kPageSize);
  if (!region) return tl::unexpected<Failure>(region.error());
  auto child = two_lives(options, *region);
  if (!child) return tl::unexpected<Failure>(child.error());
  if (auto all = expect(*child, Mechanism::Copy, 2 * options.pages); !all)
    return tl::unexpected<Failure>(all.error());
  const Trial trial{.measure = options.measure,
                    .regions = {*region, {kAfter, options.pages * kPageSize}}};
  return truth_of(options, trial, {*child});
}

}  // namespace scenario
