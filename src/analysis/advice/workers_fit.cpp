// SPDX-License-Identifier: Apache-2.0
// How many more workers the memory limit has room for.
// Evidence: a process forked several that lived at the same time, and there is a limit: of a
// control group, or of the machine if the workers could come to more than half of it. Of one parent
// and its workers, of which `together` lived at the same time:
//
//   shared    the most that a worker inherited: what the parent had at that fork
//   own       of a worker, when it ended: its private memory that is not shared any more, copied
//             or its own; at least what it copied
//   whole     of a worker, when it ended: all of its private memory, at least what it inherited:
//             its own if it had copied everything
//
//   now       = shared + together * mean(own)       more = (limit - now) / mean(own)
//   worst     = shared + together * mean(whole)     more = (limit - worst) / mean(whole)
//
// Page tables, page cache and other processes are not in it.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "analysis/advice/advices.h"
#include "base/units.h"

namespace cowtrace::analysis {

namespace {

using Workers = std::vector<const model::Process*>;

// The largest number of processes that lived at the same moment.
std::uint64_t most_together(const Workers& workers) {
  std::vector<std::pair<std::uint64_t, int>> changes;  // at equal times, ends come first
  for (const model::Process* worker : workers) {
    changes.emplace_back(worker->fork_ns.value_or(worker->start_ns), 1);
    changes.emplace_back(worker->exit_ns.value_or(UINT64_MAX), -1);
  }
  std::sort(changes.begin(), changes.end());
  int now = 0, most = 0;
  for (const auto& [time, change] : changes) most = std::max(most, now += change);
  return static_cast<std::uint64_t>(most);
}

// The largest set of siblings whose inheritance is known.
Workers largest_family(const model::Session& session) {
  std::map<model::ProcessKey, Workers> by_parent;
  for (const model::Process& process : session.processes)
    if (process.forked_from && process.inherited_bytes)
      by_parent[*process.forked_from].push_back(&process);
  Workers largest;
  for (auto& [parent, workers] : by_parent)
    if (workers.size() > largest.size()) largest = std::move(workers);
  return largest;
}

struct Need {
  std::uint64_t together = 0, shared = 0, own = 0, whole = 0;  // own and whole: of one worker

  [[nodiscard]] std::uint64_t now() const { return shared + together * own; }
  [[nodiscard]] std::uint64_t worst() const { return shared + together * whole; }
};

Need need_of(const Evidence& evidence, const Workers& workers) {
  Need need;
  need.together = most_together(workers);
  for (const model::Process* worker : workers) {
    const std::uint64_t inherited = worker->inherited_bytes.value_or(0);
    const std::uint64_t anonymous = worker->anonymous_bytes.value_or(0);
    const std::uint64_t shared = worker->still_shared_bytes.value_or(anonymous);
    need.shared = std::max(need.shared, inherited);
    need.own += std::max(evidence.summary.processes[worker->key.value].copied_bytes,
                         anonymous - std::min(anonymous, shared));
    need.whole += std::max(inherited, anonymous);
  }
  need.own = std::max<std::uint64_t>(need.own / workers.size(), 1);
  need.whole = std::max<std::uint64_t>(need.whole / workers.size(), 1);
  return need;
}

std::uint64_t room(std::uint64_t limit, std::uint64_t used, std::uint64_t each) {
  return (limit - std::min(limit, used)) / each;
}

}  // namespace

std::optional<Finding> workers_fit(const Evidence& evidence) {
  const model::CaptureInfo& capture = evidence.summary.capture;
  const Workers workers = largest_family(evidence.session);
  if (workers.size() < 2 || !capture.memory_limit) return std::nullopt;
  const Need need = need_of(evidence, workers);
  const std::uint64_t limit = *capture.memory_limit;
  const bool of_group = capture.memory_limit_of != "the machine";
  if (need.together < 2 || (!of_group && need.worst() < limit / 2)) return std::nullopt;
  std::string text = fmt::format(
      "{} workers at a time needed {}, {} of it shared by all; had they copied all of that, {}. ",
      need.together, human_bytes(need.now()), human_bytes(need.shared), human_bytes(need.worst()));
  const std::string whose = of_group ? printable(capture.memory_limit_of) : "the machine";
  if (need.now() > limit)
    text += fmt::format("That is more than the {} of {}.", human_bytes(limit), whose);
  else if (need.worst() > limit)
    text += fmt::format(
        "{} more would fit into the {} of {} as things are; these would not, if all is copied.",
        human_count(room(limit, need.now(), need.own)), human_bytes(limit), whose);
  else
    text += fmt::format("{} more would fit into the {} of {}, {} if all is copied.",
                        human_count(room(limit, need.now(), need.own)), human_bytes(limit), whose,
                        human_count(room(limit, need.worst(), need.whole)));
  return Finding{text, std::nullopt};
}

}  // namespace cowtrace::analysis
