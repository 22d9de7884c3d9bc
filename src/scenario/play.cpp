// SPDX-License-Identifier: Apache-2.0
// The family of the plain experiments: one parent, its children and, where asked for, one
// grandchild each. Everybody forks, looks at its frames, does the steps one after the other, looks
// again, and only then ends: a process that ended early would turn the later writers of its pages
// into last owners, who get no copy.
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

#include "scenario/arena.h"
#include "scenario/cost.h"
#include "scenario/experiment.h"
#include "scenario/frames.h"

namespace scenario {
namespace {

std::uint64_t members_of(const Options& options, const Script& script) {
  return 1 + options.children * (script.grandchildren ? 2 : 1);
}

// How many pages a process of `role` must get copies of.
std::uint64_t expected_copies(const Script& script, Role role, const Ground& ground) {
  for (const Step& step : script.steps) {
    if (step.role == role && step.copies) return ground.all_pages();
  }
  return 0;
}

// Linux overcommits: without this, an experiment that is too large would end in the OOM killer and
// not in a sentence.
Result<void> check_memory(const Options& options, const Script& script) {
  std::uint64_t owners = 1;
  for (const Step& step : script.steps) {
    if (step.copies) owners += step.role == Role::Parent ? 1 : options.children;
  }
  const std::uint64_t needed = owners * options.pages * kPageSize;
  std::ifstream file("/proc/meminfo");
  for (std::string word; file >> word;) {
    std::uint64_t available = 0;
    if (word != "MemAvailable:" || !(file >> available)) continue;
    available *= 1024;
    if (needed < available) break;
    return unavailable(fmt::format("{} pages and {} children need {} MiB", options.pages,
                                   options.children, needed >> 20),
                       fmt::format("{} MiB are available", available >> 20),
                       "use fewer --pages or --children");
  }
  return {};
}

class Family {
 public:
  Family(const Script& script, const Ground& ground, Arena& arena, bool measure)
      : script_(script),
        ground_(ground),
        regions_(ground.regions()),
        arena_(arena),
        measure_(measure) {}

  // In the parent; returns when every process has ended.
  Result<void> run(std::uint64_t children);

 private:
  void fork_member(std::uint64_t member, Role role);
  void take_part(std::uint64_t member);  // everything between the forks and the end
  void act(const Step& step, std::uint64_t member);
  void measure_before(std::uint64_t member);
  void measure_after(std::uint64_t member);
  [[nodiscard]] bool wait_for_all();
  void look_for_dead_children();
  void reap();

  const Script& script_;
  const Ground& ground_;
  std::vector<Region> regions_;
  Arena& arena_;
  bool measure_;
  std::vector<pid_t> children_;  // of this process
};

Result<void> Family::run(std::uint64_t children) {
  if (measure_) {
    const auto before = arena_.frames_before();
    const auto seen =
        visit_frames(regions_, arena_.scratch(0),
                     [&](std::uint64_t index, std::uint64_t frame) { before[index] = frame; });
    if (!seen) return tl::unexpected<Failure>(seen.error());
  }
  children_.reserve(children);
  for (std::uint64_t i = 1; i <= children && !arena_.is_aborted(); ++i) fork_member(i, Role::Child);
  arena_.record(0).role = Role::Parent;
  take_part(0);
  reap();
  if (arena_.is_aborted()) return tl::unexpected<Failure>(arena_.failure());
  return {};
}

void Family::fork_member(std::uint64_t member, Role role) {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid > 0) children_.push_back(pid);
  if (pid < 0) {
    arena_.abort({ExitStatus::Unavailable, "cannot fork", std::strerror(errno),
                  "use fewer --children, or raise the limits"});
  }
  if (pid != 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);  // it died before the line above
  children_.clear();
  arena_.record(member).role = role;
  if (role == Role::Child && script_.grandchildren)
    fork_member(member + (arena_.members() - 1) / 2, Role::Grandchild);
  take_part(member);
  reap();
  ::_exit(arena_.is_aborted() ? 1 : 0);
}

void Family::take_part(std::uint64_t member) {
  arena_.record(member).pid = ::getpid();
  if (measure_) measure_before(member);
  if (!wait_for_all()) return;
  for (const Step& step : script_.steps) {
    if (step.role == arena_.record(member).role) act(step, member);
    if (!wait_for_all()) return;
  }
  if (measure_) measure_after(member);
  static_cast<void>(wait_for_all());
}

void Family::act(const Step& step, std::uint64_t member) {
  const Cost start = cost_so_far();
  const Result<std::uint64_t> wrote = step.act(ground_);
  arena_.record(member).cost += cost_since(start);
  if (wrote) {
    arena_.record(member).wrote += *wrote;
  } else {
    arena_.abort(wrote.error());
  }
}

// A process that was just forked has its parent's frames; should one differ, the kernel moved it
// and no comparison would be exact.
void Family::measure_before(std::uint64_t member) {
  std::uint64_t moved = 0;
  const auto before = arena_.frames_before();
  const auto seen = visit_frames(
      regions_, arena_.scratch(member),
      [&](std::uint64_t index, std::uint64_t frame) { moved += frame != before[index] ? 1 : 0; });
  if (!seen) return arena_.abort(seen.error());
  if (moved != 0) {
    arena_.abort({ExitStatus::Failed, fmt::format("{} frames moved during the forks", moved),
                  "the kernel migrated or merged them", "run it again"});
  }
}

void Family::measure_after(std::uint64_t member) {
  const auto before = arena_.frames_before();
  const auto bits = arena_.copied_bits(member);
  const auto seen =
      visit_frames(regions_, arena_.scratch(member), [&](std::uint64_t index, std::uint64_t frame) {
        if (frame != before[index]) bits[index / 64] |= 1ull << (index % 64);
      });
  if (!seen) arena_.abort(seen.error());
}

bool Family::wait_for_all() {
  return arena_.wait_for_all([this] { look_for_dead_children(); });
}

// A killed process never arrives at the barrier; its parent notices and ends the wait of all.
void Family::look_for_dead_children() {
  for (const pid_t child : children_) {
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid != child)
      continue;
    // All could have passed the last barrier since this wait began to look; then the child ended as
    // it should.
    if (info.si_code == CLD_EXITED && info.si_status == 0) continue;
    arena_.abort({ExitStatus::Failed, fmt::format("process {} ended early", child),
                  info.si_code == CLD_EXITED ? fmt::format("exit status {}", info.si_status)
                                             : fmt::format("killed by signal {}", info.si_status),
                  "look for the OOM killer in the kernel's log; use fewer --pages or --children"});
  }
}

void Family::reap() {
  for (const pid_t child : children_) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
  }
}

Truth collect(const Options& options, const Script& script, const Ground& ground,
              const Arena& arena) {
  Truth truth;
  truth.scenario = options.name;
  truth.measured = options.measure;
  truth.regions = ground.regions();
  std::vector<std::uint64_t> pages;
  for (const Region& region : truth.regions) {
    for (std::uint64_t offset = 0; offset < region.size; offset += kPageSize)
      pages.push_back(region.start + offset);
  }
  for (std::uint64_t member = 0; member < arena.members(); ++member) {
    const Record& record = arena.record(member);
    ProcessTruth process;
    process.pid = record.pid;
    process.role = record.role;
    process.wrote = record.wrote;
    process.expected_copies = expected_copies(script, record.role, ground);
    process.cost = record.cost;
    if (options.measure) {
      const auto bits = arena.copied_bits(member);
      for (std::uint64_t i = 0; i < pages.size(); ++i) {
        if ((bits[i / 64] >> (i % 64) & 1) != 0) process.copied.push_back(pages[i]);
      }
      std::sort(process.copied.begin(), process.copied.end());
    }
    truth.processes.push_back(std::move(process));
  }
  return truth;
}

}  // namespace

Result<Truth> play(const Options& options, const Script& script) {
  if (auto enough = check_memory(options, script); !enough)
    return tl::unexpected<Failure>(enough.error());
  const auto ground = Ground::prepare(options.pages);
  if (!ground) return tl::unexpected<Failure>(ground.error());
  auto arena = Arena::map(members_of(options, script), ground->all_pages(), options.measure);
  if (!arena) return tl::unexpected<Failure>(arena.error());
  Family family(script, *ground, *arena, options.measure);
  if (auto ran = family.run(options.children); !ran) return tl::unexpected<Failure>(ran.error());
  return collect(options, script, *ground, *arena);
}

}  // namespace scenario
