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
#include <optional>
#include <set>
#include <span>

#include "scenario/frames.h"
#include "scenario/message.h"
#include "scenario/writes.h"

namespace scenario {
namespace {

// What it means that another frame took the place of `before`. KPF_KSM is not asked: kernels from
// 6.9 on, until they were corrected, show it for every anonymous page.
Mechanism replacement_of(const Trial& trial, const PageState& before) {
  if (before.has(KPF_ZERO_PAGE)) return Mechanism::ZeroFill;
  if (trial.merged) return Mechanism::KsmCopy;
  return before.has(KPF_ANON) ? Mechanism::Copy : Mechanism::FileCopy;
}

// nullopt: nothing was broken.
std::optional<Mechanism> answer(const Trial& trial, const PageState& before,
                                const PageState& after) {
  if (before.frame == 0) {
    if (trial.private_file && after.has(KPF_ANON)) return Mechanism::FileCopy;
    return std::nullopt;
  }
  const bool same = before.frame == after.frame;
  switch (trial.touch) {
    case Touch::ReadPin:
      return same ? std::nullopt : std::optional(Mechanism::Unshare);
    case Touch::Fork:
      return same ? std::nullopt : std::optional(Mechanism::ForkCopy);
    case Touch::Write:
      break;
  }
  if (!same) return replacement_of(trial, before);
  if (trial.write_protected && before.has(KPF_ANON)) return Mechanism::Reuse;
  return std::nullopt;
}

using Pages = std::set<std::uint64_t>;
using States = std::span<const PageState>;

Result<void> compare_pages(const Trial& trial, const Region& region, States before, States after,
                           const Pages& touched, ProcessTruth& truth) {
  for (std::size_t i = 0; i < before.size(); ++i) {
    const std::uint64_t page = region.start + i * kPageSize;
    const PageState &then = before[i], &now = after[i];
    if (touched.contains(page)) {
      if (now.frame == 0)
        return failed(fmt::format("page {:#x} is not in memory", page), "it was swapped out");
      const auto mechanism = answer(trial, then, now);
      if (mechanism) (*truth.breaks)[*mechanism].push_back(page);
      if (mechanism && then.frame == 0) truth.first_writes.push_back(page);
      continue;
    }
    // A split huge zero page leaves the one zero page everywhere.
    const bool zero = then.has(KPF_ZERO_PAGE) && now.has(KPF_ZERO_PAGE);
    if (then.frame != now.frame && then.frame != 0 && !zero)
      return failed(fmt::format("page {:#x} moved though nobody wrote it", page),
                    "the kernel migrated or merged it", "run it again");
  }
  return {};
}

// A region that one huge entry mapped is answered as a whole, or split and then page by page.
Result<void> compare_huge(const Trial& trial, const Region& region, States before, States after,
                          Entry was, Entry is, const Pages& touched, ProcessTruth& truth) {
  Breaks& breaks = *truth.breaks;
  const auto first = touched.lower_bound(region.start);
  const bool hit = first != touched.end() && *first < region.start + region.size;
  const bool same = before[0].frame == after[0].frame;
  if (was == Entry::Base || !hit)
    return compare_pages(trial, region, before, after, touched, truth);
  if (was != Entry::Hugetlb && is == Entry::Base) {
    breaks[Mechanism::HugeSplit].push_back(region.start);
    return compare_pages(trial, region, before, after, touched, truth);
  }
  Mechanism whole = Mechanism::Reuse;
  if (was == Entry::Hugetlb && is == Entry::Hugetlb && !same)
    whole = Mechanism::HugetlbCopy;
  else if (was == Entry::HugeZero && is == Entry::Huge)
    whole = Mechanism::HugeZeroFill;
  else if (was != is || !same || was == Entry::HugeZero)
    return failed(fmt::format("huge page {:#x}", region.start),
                  "the kernel answered a write in a way that no mechanism has a name for");
  if (whole != Mechanism::Reuse || trial.write_protected) breaks[whole].push_back(region.start);
  return {};
}

std::uint64_t written_in(Region region, std::uint64_t offset) {
  return region.start + offset + offset_in_page(offset / kPageSize);
}

}  // namespace

Result<Look> look(const Trial& trial) {
  Look found;
  if (!trial.measure) return found;
  auto pages = observe(trial.regions);
  if (!pages) return tl::unexpected<Failure>(pages.error());
  found.pages = std::move(*pages);
  if (!trial.huge) return found;
  auto entries = observe_entries(trial.regions, found.pages);
  if (!entries) return tl::unexpected<Failure>(entries.error());
  found.entries = std::move(*entries);
  return found;
}

Result<ProcessTruth> compare(const Trial& trial, Role role, const Look& before,
                             const Written& written) {
  ProcessTruth truth;
  truth.pid = ::getpid();
  truth.role = role;
  truth.wrote = trial.touch == Touch::Write ? written.size() : 0;
  if (!trial.measure) return truth;
  const auto after = look(trial);
  if (!after) return tl::unexpected<Failure>(after.error());
  Pages touched;
  for (const std::uint64_t address : written) touched.insert(address / kPageSize * kPageSize);
  Breaks& breaks = truth.breaks.emplace();
  std::size_t done = 0;
  for (std::size_t i = 0; i < trial.regions.size(); ++i) {
    const Region& region = trial.regions[i];
    const std::size_t pages = region.size / kPageSize;
    const States then = States(before.pages).subspan(done, pages);
    const States now = States(after->pages).subspan(done, pages);
    const auto compared = trial.huge ? compare_huge(trial, region, then, now, before.entries[i],
                                                    after->entries[i], touched, truth)
                                     : compare_pages(trial, region, then, now, touched, truth);
    if (!compared) return tl::unexpected<Failure>(compared.error());
    done += pages;
  }
  if (const auto copies = breaks.find(Mechanism::Copy); copies != breaks.end())
    truth.copied = copies->second;
  truth.expected_copies = truth.copied.size();
  return truth;
}

Result<ProcessTruth> watch(const Trial& trial, Role role, const Writing& act) {
  const auto before = look(trial);
  if (!before) return tl::unexpected<Failure>(before.error());
  const Cost start = cost_so_far();
  const auto written = act();
  const Cost cost = cost_since(start);
  if (!written) return tl::unexpected<Failure>(written.error());
  auto truth = compare(trial, role, *before, *written);
  if (truth) truth->cost = cost;
  return truth;
}

Result<ProcessTruth> watch_actor(const Trial& trial, const char* command,
                                 const std::function<int(pid_t)>& act) {
  pid_t actor = 0;
  auto truth = watch(trial, Role::Child, [&]() -> Result<Written> {
    const pid_t target = ::getpid();
    actor = ::fork();
    if (actor < 0) return unavailable("cannot fork", std::strerror(errno), "raise the limits");
    if (actor == 0) {
      ::prctl(PR_SET_NAME, command);
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::_exit(act(target));
    }
    ::prctl(PR_SET_PTRACER, actor);  // for Yama: a child may look into its parent
    int status = 0;
    while (::waitpid(actor, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
      return unavailable(fmt::format("{} cannot reach another process's memory", command),
                         WIFEXITED(status) ? std::strerror(WEXITSTATUS(status)) : "it was killed",
                         "run it as root");
    Written written;
    for (const Region& region : trial.regions) {
      for (const std::uint64_t address : each_page(region)) written.push_back(address);
    }
    return written;
  });
  if (truth) truth->actor = Actor{actor, command};
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
      for (const std::uint64_t address : each_page(region)) written.push_back(address);
    }
    return written;
  };
}

Written each_page(Region region) {
  Written addresses;
  addresses.reserve(region.size / kPageSize);
  for (std::uint64_t offset = 0; offset < region.size; offset += kPageSize)
    addresses.push_back(written_in(region, offset));
  return addresses;
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
