// SPDX-License-Identifier: Apache-2.0
#include "scenario/trial.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/kernel-page-flags.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <optional>
#include <set>

#include "scenario/frames.h"
#include "scenario/message.h"
#include "scenario/writes.h"

namespace scenario {
namespace {

std::uint64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

// What it means that another frame took the place of `before`.
Mechanism replacement_of(const PageState& before) {
  if (before.has(KPF_ZERO_PAGE)) return Mechanism::ZeroFill;
  if (before.has(KPF_KSM)) return Mechanism::KsmCopy;
  return before.has(KPF_ANON) ? Mechanism::Copy : Mechanism::FileCopy;
}

// nullopt: the write broke nothing.
std::optional<Mechanism> answer(const Trial& trial, const PageState& before,
                                const PageState& after) {
  if (before.frame == 0) {
    if (trial.private_file && after.has(KPF_ANON)) return Mechanism::FileCopy;
    return std::nullopt;
  }
  if (before.frame != after.frame) return replacement_of(before);
  if (trial.write_protected && before.has(KPF_ANON)) return Mechanism::Reuse;
  return std::nullopt;
}

Result<Breaks> compare(const Trial& trial, const std::vector<PageState>& before,
                       const std::vector<PageState>& after, const Written& written) {
  std::set<std::uint64_t> pages;
  for (const std::uint64_t address : written) pages.insert(address / kPageSize * kPageSize);
  Breaks breaks;
  std::size_t index = 0;
  for (const Region& region : trial.regions) {
    for (std::uint64_t offset = 0; offset < region.size; offset += kPageSize, ++index) {
      const std::uint64_t page = region.start + offset;
      const PageState &then = before[index], &now = after[index];
      if (pages.contains(page)) {
        if (now.frame == 0)
          return failed(fmt::format("page {:#x} is not in memory", page), "it was swapped out");
        if (const auto mechanism = answer(trial, then, now)) breaks[*mechanism].push_back(page);
      } else if (then.frame != now.frame && then.frame != 0) {
        return failed(fmt::format("page {:#x} moved though nobody wrote it", page),
                      "the kernel migrated or merged it", "run it again");
      }
    }
  }
  return breaks;
}

std::uint64_t written_in(Region region, std::uint64_t offset) {
  return region.start + offset + offset_in_page(offset / kPageSize);
}

}  // namespace

Result<ProcessTruth> watch(const Trial& trial, Role role, const Writing& act) {
  ProcessTruth truth;
  truth.pid = ::getpid();
  truth.role = role;
  std::vector<PageState> before;
  if (trial.measure) {
    auto seen = observe(trial.regions);
    if (!seen) return tl::unexpected<Failure>(seen.error());
    before = std::move(*seen);
  }
  const std::uint64_t start = now_ns();
  const auto written = act();
  truth.elapsed_ns = now_ns() - start;
  if (!written) return tl::unexpected<Failure>(written.error());
  truth.wrote = written->size();
  if (!trial.measure) return truth;
  const auto after = observe(trial.regions);
  if (!after) return tl::unexpected<Failure>(after.error());
  auto breaks = compare(trial, before, *after, *written);
  if (!breaks) return tl::unexpected<Failure>(breaks.error());
  if (const auto copies = breaks->find(Mechanism::Copy); copies != breaks->end())
    truth.copied = copies->second;
  truth.expected_copies = truth.copied.size();
  truth.breaks = std::move(*breaks);
  return truth;
}

Result<ProcessTruth> in_child(const std::function<Result<ProcessTruth>()>& body) {
  auto channel = Channel::open();
  if (!channel) return tl::unexpected<Failure>(channel.error());
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return unavailable("cannot fork", std::strerror(errno), "raise the limits");
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);  // it died before the line above
    ::_exit(channel->send(body()) ? 0 : 1);
  }
  auto found = channel->receive();
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!found && WIFSIGNALED(status))
    return failed(fmt::format("process {} ended early", child),
                  fmt::format("killed by signal {}", WTERMSIG(status)));
  return found;
}

Result<ProcessTruth> watch_child(const Trial& trial, const Writing& act) {
  return in_child([&] { return watch(trial, Role::Child, act); });
}

Truth truth_of(const Options& options, const Trial& trial, std::vector<ProcessTruth> processes) {
  Truth truth;
  truth.scenario = options.name;
  truth.measured = trial.measure;
  truth.regions = trial.regions;
  truth.processes = std::move(processes);
  return truth;
}

Result<void> expect(const ProcessTruth& process, Mechanism mechanism, std::uint64_t count) {
  if (!process.breaks) return {};  // nothing was measured
  const auto found = process.breaks->find(mechanism);
  const std::uint64_t seen = found == process.breaks->end() ? 0 : found->second.size();
  if (seen == count) return {};
  return failed(fmt::format("{} of {} {}: {} pages where {} were expected", name(mechanism),
                            name(process.role), process.pid, seen, count),
                "the kernel moved or merged frames, or answers writes in another way",
                "run it again");
}

Result<void> expect_nothing(const ProcessTruth& process) {
  if (!process.breaks || process.breaks->empty()) return {};
  return expect(process, process.breaks->begin()->first, 0);
}

void store_each_page(Region region) {
  for (std::uint64_t offset = 0; offset < region.size; offset += kPageSize)
    store(reinterpret_cast<std::byte*>(written_in(region, offset)), std::uint64_t{2});
}

Writing write_each_page(Region region) {
  return write_each_page(std::vector{region});
}

Writing write_each_page(std::vector<Region> regions) {
  return [regions = std::move(regions)]() -> Result<Written> {
    Written written;
    for (const Region& region : regions) {
      store_each_page(region);
      for (std::uint64_t offset = 0; offset < region.size; offset += kPageSize)
        written.push_back(written_in(region, offset));
    }
    return written;
  };
}

Written pages_of(Region region) {
  Written pages;
  for (std::uint64_t offset = 0; offset < region.size; offset += kPageSize)
    pages.push_back(region.start + offset);
  return pages;
}

std::uint64_t read_each_page(Region region) {
  std::uint64_t sum = 0;
  for (std::uint64_t offset = 0; offset < region.size; offset += kPageSize)
    sum += load<std::uint64_t>(reinterpret_cast<const std::byte*>(region.start + offset));
  return sum;
}

}  // namespace scenario
