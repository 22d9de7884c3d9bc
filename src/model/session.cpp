// SPDX-License-Identifier: Apache-2.0
#include "model/session.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

#include "base/sort.h"
#include "base/units.h"

namespace cowtrace::model {

void Session::apply(const Event& event) {
  std::visit([this](const auto& one) { apply_one(one); }, event);
}

AddressSpace* Session::find_space(SpaceId id) {
  return const_cast<AddressSpace*>(static_cast<const Session*>(this)->find_space(id));
}

const AddressSpace* Session::find_space(SpaceId id) const {
  const auto known = space_index_.find(id);
  if (known != space_index_.end()) return &spaces[known->second];
  const auto found = std::find_if(spaces.begin(), spaces.end(),
                                  [&](const AddressSpace& space) { return space.id == id; });
  return found == spaces.end() ? nullptr : &*found;
}

void AddressSpace::sort_resolutions() {
  sort_runs(resolutions.begin(), resolutions.end(), [](const Resolution& a, const Resolution& b) {
    return std::pair(page_of(a.address), a.time_ns) < std::pair(page_of(b.address), b.time_ns);
  });
}

Process* Session::find_pid(std::int32_t pid) {
  const auto found = newest_of_pid.find(pid);
  return found == newest_of_pid.end() ? nullptr : &process(found->second);
}

const Process* Session::find_pid(std::int32_t pid) const {
  const auto found = newest_of_pid.find(pid);
  return found == newest_of_pid.end() ? nullptr : &process(found->second);
}

AddressSpace& Session::space(SpaceId id) {
  const auto [entry, is_new] =
      space_index_.try_emplace(id, static_cast<std::uint32_t>(spaces.size()));
  if (is_new) {
    spaces.emplace_back(*memory_).id = id;
    spaces.back().counts.space = id;
    unowned_.insert(id);
  }
  return spaces[entry->second];
}

void Session::own(SpaceId id, ProcessKey owner) {
  AddressSpace& owned = space(id);
  if (unowned_.erase(id) == 0) return;
  owned.owner = owner;
  process(owner).spaces.push_back(id);
}

// A pid with another start time is another process: the pid was reused. 0 means that the event does
// not tell.
Process& Session::process_for(std::int32_t pid, std::uint64_t boot_start_ns) {
  const auto found = newest_of_pid.find(pid);
  if (found != newest_of_pid.end()) {
    Process& known = process(found->second);
    if (known.boot_start_ns == 0) known.boot_start_ns = boot_start_ns;
    if (boot_start_ns == 0 || known.boot_start_ns == boot_start_ns) return known;
  }
  Process& fresh = processes.emplace_back();
  fresh.key = ProcessKey(static_cast<std::uint32_t>(processes.size() - 1));
  fresh.pid = pid;
  fresh.boot_start_ns = boot_start_ns;
  newest_of_pid[pid] = fresh.key;
  return fresh;
}

void Session::apply_one(const Resolution& event) {
  space(event.space).resolutions.push_back(event);
  ++capture.events;
}

void Session::apply_one(const Fork& event) {
  if (event.is_thread) return;
  const ProcessKey parent = process_for(event.parent_pid, 0).key;
  space(event.parent_space);
  const bool parent_known = !unowned_.contains(event.parent_space);
  Process& child = process_for(event.child_pid, event.child_start_ns);
  child.parent = parent;
  child.command = event.command;
  child.start_ns = event.time_ns;
  if (event.shares_memory) return;
  child.fork_ns = event.time_ns;
  child.fork_took_ns = event.took_ns;
  child.forked_space = event.parent_space;
  // A vfork child that forks passes on memory that is its parent's.
  child.forked_from = parent_known ? find_space(event.parent_space)->owner : parent;
  own(event.child_space, child.key);
}

namespace {

void add(Counts& to, const Counts& more) {
  for (std::size_t i = 0; i < kMechanismNumbers; ++i) {
    to.count[i] += more.count[i];
    to.bytes[i] += more.bytes[i];
  }
}

}  // namespace

void Session::apply_one(const Exec& event) {
  Process& process = process_for(event.pid, event.start_ns);
  if (process.start_ns == 0) process.start_ns = event.time_ns;
  process.command = event.command;
  process.exec_ns.push_back(event.time_ns);
  const ProcessKey key = process.key;
  if (event.old_space.value != 0) add(space(event.old_space).counts, event.counts);
  own(event.new_space, key);
}

void Session::apply_one(const Exit& event) {
  if (event.counts.space.value != 0) add(space(event.counts.space).counts, event.counts);
  if (!event.process_ended) return;
  Process& process = process_for(event.pid, event.start_ns);
  process.exit_ns = event.time_ns;
  process.wait_status = event.wait_status;
  if (!event.command.empty()) process.command = event.command;
}

void Session::apply_one(const Mapping& event) {
  if (mappings.try_emplace(event.hash, event).second)
    space(event.space).mappings.push_back(event.hash);
}

void Session::apply_one(const Visitor& event) {
  visitors[event.pid] = event.command;
}

void Session::apply_one(const Attach& event) {
  Process& process = process_for(event.pid, event.start_ns);
  if (process.start_ns == 0) process.start_ns = event.time_ns;
  process.command = event.command;
  const auto parent = newest_of_pid.find(event.parent_pid);
  if (parent != newest_of_pid.end() && parent->second != process.key)
    process.parent = parent->second;
  const AddressSpace* from =
      event.parent_space == SpaceId() ? nullptr : find_space(event.parent_space);
  if (from != nullptr && !unowned_.contains(from->id) && from->owner != process.key) {
    process.forked_space = from->id;
    process.forked_from = from->owner;
  }
  own(event.space, process.key);
}

void Session::apply_one(const Stack& event) {
  stacks.try_emplace(event.hash, event);
}

void Session::finish() {
  // Whose fork or exec was lost: the first who was seen to write there.
  const std::vector<SpaceId> homeless(unowned_.begin(), unowned_.end());
  for (const SpaceId id : homeless) {
    const auto& seen = space(id).resolutions;
    if (!seen.empty()) own(id, process_for(seen.front().pid, 0).key);
  }
  std::erase_if(spaces, [this](const AddressSpace& one) { return unowned_.contains(one.id); });
  space_index_.clear();
  for (std::uint32_t i = 0; i < spaces.size(); ++i) space_index_[spaces[i].id] = i;

  for (AddressSpace& one : spaces) {
    one.sort_resolutions();
    // Threads that still run have not flushed their counters; what arrived is then the better
    // number.
    Counts received;
    for (const Resolution& event : one.resolutions) {
      received.count[static_cast<std::size_t>(event.mechanism)] += 1;
      received.bytes[static_cast<std::size_t>(event.mechanism)] += event.size;
    }
    for (std::size_t i = 0; i < kMechanismNumbers; ++i) {
      one.counts.count[i] = std::max(one.counts.count[i], received.count[i]);
      one.counts.bytes[i] = std::max(one.counts.bytes[i], received.bytes[i]);
    }
  }
}

bool Session::restore(std::vector<Process> known_processes, std::vector<AddressSpace> known_spaces,
                      std::vector<Mapping> known_mappings) {
  mappings.clear();
  for (Mapping& mapping : known_mappings) mappings.emplace(mapping.hash, std::move(mapping));
  std::unordered_map<SpaceId, std::uint32_t> index;
  for (std::uint32_t i = 0; i < known_spaces.size(); ++i) {
    AddressSpace& known = known_spaces[i];
    if (known.owner.value >= known_processes.size() || !index.emplace(known.id, i).second)
      return false;
    for (const MappingHash hash : known.mappings)
      if (!mappings.contains(hash)) return false;
  }
  for (const Process& process : known_processes)
    for (const SpaceId id : process.spaces)
      if (!index.contains(id)) return false;
  for (const Watch& watch : watches)
    if (!index.contains(watch.space)) return false;
  std::vector<AddressSpace> filled;
  for (AddressSpace& known : known_spaces) {
    AddressSpace& space = filled.emplace_back(*memory_);
    if (const auto from = space_index_.find(known.id); from != space_index_.end())
      space.resolutions = std::move(spaces[from->second].resolutions);
    space.id = known.id;
    space.owner = known.owner;
    space.page_counts = std::move(known.page_counts);
    space.mappings = std::move(known.mappings);
    space.counts = known.counts;
    space.sort_resolutions();
  }
  spaces = std::move(filled);
  space_index_ = std::move(index);
  unowned_.clear();
  processes = std::move(known_processes);
  newest_of_pid.clear();
  for (const Process& process : processes) newest_of_pid[process.pid] = process.key;
  return true;
}

namespace {

// When the program in each space forked for the first time; UINT64_MAX: never. Of those alone that
// began by an exec that was seen: what is attached to has been at work for long, and what was
// forked goes on with its parent's work.
std::unordered_map<SpaceId, std::uint64_t> ends_of_starting(const std::vector<Process>& processes) {
  std::unordered_map<SpaceId, std::uint64_t> ends;
  for (const Process& process : processes) {
    const std::size_t by_exec = std::min(process.exec_ns.size(), process.spaces.size());
    for (std::size_t i = process.spaces.size() - by_exec; i < process.spaces.size(); ++i)
      ends.emplace(process.spaces[i], UINT64_MAX);
  }
  for (const Process& process : processes) {
    if (!process.forked_space || !process.fork_ns) continue;
    const auto end = ends.find(*process.forked_space);
    if (end != ends.end()) end->second = std::min(end->second, *process.fork_ns);
  }
  return ends;
}

// In order of thread and time, and none overlaps another of its thread.
std::vector<Ending> merged(std::vector<Ending> endings) {
  std::sort(endings.begin(), endings.end(), [](const Ending& a, const Ending& b) {
    return std::tie(a.tid, a.from_ns, a.to_ns) < std::tie(b.tid, b.from_ns, b.to_ns);
  });
  std::vector<Ending> result;
  for (const Ending& ending : endings) {
    if (!result.empty() && result.back().tid == ending.tid && ending.from_ns <= result.back().to_ns)
      result.back().to_ns = std::max(result.back().to_ns, ending.to_ns);
    else
      result.push_back(ending);
  }
  return result;
}

bool is_ending(const std::vector<Ending>& endings, const Resolution& event) {
  const auto later =
      std::upper_bound(endings.begin(), endings.end(), std::pair(event.tid, event.time_ns),
                       [](const auto& moment, const Ending& ending) {
                         return moment < std::pair(ending.tid, ending.from_ns);
                       });
  if (later == endings.begin()) return false;
  const Ending& last = *std::prev(later);
  return last.tid == event.tid && event.time_ns <= last.to_ns;
}

}  // namespace

void Session::set_phases(std::vector<Ending> ended) {
  endings = merged(std::move(ended));
  const auto starting = ends_of_starting(processes);
  for (AddressSpace& one : spaces) {
    const auto start = starting.find(one.id);
    const std::uint64_t started_ns = start != starting.end() ? start->second : 0;
    for (Resolution& event : one.resolutions)
      event.phase = is_ending(endings, event)    ? Phase::Ending
                    : event.time_ns < started_ns ? Phase::Starting
                                                 : Phase::Running;
  }
}

bool Session::is_consistent() const {
  for (const auto link : {&Process::parent, &Process::forked_from}) {
    // Each chain is followed until it reaches what an earlier one has seen; it must not reach
    // itself.
    std::vector<std::size_t> seen_by(processes.size());
    for (std::size_t i = 0; i < processes.size(); ++i) {
      for (std::size_t at = i; seen_by[at] == 0; at = (processes[at].*link)->value) {
        seen_by[at] = i + 1;
        if (!(processes[at].*link)) break;
        const std::size_t next = (processes[at].*link)->value;
        if (next >= processes.size() || seen_by[next] == i + 1) return false;
      }
    }
  }
  return true;
}

}  // namespace cowtrace::model
