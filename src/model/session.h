// SPDX-License-Identifier: Apache-2.0
// Everything one capture learned: processes, address spaces, breaks, mappings, stacks. Filled by
// apply(event) in any order in which the two ring buffers deliver, completed by what the pipeline
// reads from /proc, and read by analysis::join.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/arena.h"
#include "model/events.h"
#include "model/watch.h"

namespace cowtrace::model {

using ProcessKey =
    Id<struct ProcessTag>;  // index of Session::processes; pids are reused, this is not

// The comparison of events with the page tables at exit (design: "audit").
struct Audit {
  std::uint64_t private_pages = 0;
  std::uint64_t explained = 0;
  std::map<std::string, std::uint64_t> reasons;  // of the unexplained: reason -> pages
  std::vector<std::uint64_t> unexplained_pages;  // addresses, at most kListed of them
  static constexpr std::size_t kListed = 1000;
  [[nodiscard]] std::uint64_t unexplained() const { return private_pages - explained; }
};

struct Process {
  ProcessKey key;
  std::int32_t pid = 0;
  std::uint64_t boot_start_ns =
      0;  // with the pid, the kernel's identity of the process; 0 while not known
  std::optional<ProcessKey> parent;  // who made it, as seen
  std::optional<ProcessKey>
      forked_from;  // whose memory it inherited; none for the command itself and for vfork/CLONE_VM
  std::string command;         // last comm or argv[0] seen; untrusted
  std::uint64_t start_ns = 0;  // CLOCK_MONOTONIC, as all that follow
  std::optional<std::uint64_t> exit_ns;
  std::optional<std::uint32_t> wait_status;   // how it ended, as wait(2) tells its parent; none: it
                                              // has not, or that is not known
  std::optional<SpaceId> forked_space;        // the address space that it inherited from
  std::optional<std::uint64_t> fork_ns;       // when it was forked
  std::optional<std::uint64_t> fork_took_ns;  // how long that kept the parent; none: not known
  std::vector<SpaceId> spaces;                // one, and one more for each exec
  std::vector<std::uint64_t>
      exec_ns;  // when it began to execute another program, in the order in which that was told
  std::optional<std::uint64_t> inherited_bytes;
  std::optional<std::uint64_t> still_shared_bytes;
  std::optional<Audit> audit;
  std::string audit_missing;  // why `audit` is empty
  std::optional<std::uint64_t>
      anonymous_bytes;  // private and anonymous, in memory at exit: inherited, copied or its own
  std::string
      python;  // version of the CPython in it ("3.11.2"); empty: none that was seen and understood
};

// One row of the kernel's own aggregation (--detail counts): no stacks, no single events.
struct PageCount {
  std::uint64_t page = 0;
  std::uint64_t count = 0;
  std::uint64_t first_ns = 0, last_ns = 0;
  std::uint64_t last_address = 0;
  std::uint64_t old_frame = 0, new_frame = 0;  // of the last
  MappingHash mapping;
  std::uint32_t size = 0;  // bytes of one
  Mechanism mechanism = Mechanism::Copy;
};

// Grows without moving what it holds.
using Resolutions = std::pmr::deque<Resolution>;

struct AddressSpace {
  AddressSpace() = default;
  explicit AddressSpace(std::pmr::memory_resource& memory) : resolutions(&memory) {}
  // noexcept, or a vector of these would copy them, out of their memory resource.
  AddressSpace(const AddressSpace&) = default;
  AddressSpace& operator=(const AddressSpace&) = default;
  AddressSpace(AddressSpace&&) noexcept = default;
  AddressSpace& operator=(AddressSpace&&) noexcept = default;
  void sort_resolutions();

  SpaceId id;
  ProcessKey owner;                    // the process that made it; others that share it are actors
  Resolutions resolutions;             // in order of (page, time) after sort_resolutions()
  std::vector<PageCount> page_counts;  // instead of resolutions with --detail counts
  std::vector<MappingHash> mappings;
  Counts counts;  // flushed by threads; exact
};

// What the capture says about itself.
struct CaptureInfo {
  std::vector<std::string> command;
  std::string backend;
  std::string kernel;
  std::string arch;
  std::string detail = "events";        // events | counts
  std::string snapshot = "exact";       // exact | passive | off
  bool allocators = false;              // first writes were asked for
  bool endings_known = false;           // stacks told which breaks were made while a program ended
  std::int64_t started_at_unix_ns = 0;  // CLOCK_REALTIME
  std::uint64_t started_ns = 0;         // CLOCK_MONOTONIC at the same moment
  std::uint64_t duration_ns = 0;
  std::uint64_t events = 0;  // received resolutions
  std::uint64_t lost_events =
      0;  // resolutions that were counted but whose detail did not fit the ring buffer
  std::uint64_t lost_control =
      0;  // fork, exec, exit, mapping and stack events that did not fit theirs
  std::uint64_t unfinished_faults = 0;  // write faults whose completion was not seen
  std::uint64_t untracked_tasks = 0;    // children for which the kernel gave no task storage
  std::uint64_t undecodable_events = 0;
  std::optional<std::uint64_t> memory_limit;  // bytes that the family may have at most
  std::string
      memory_limit_of;  // "the machine", or the control group that sets the limit (untrusted)
  std::vector<std::string> blind_spots;
  std::vector<std::string> notes;
  Counts totals;  // per-CPU counters, summed: exact
};

class Session {
 public:
  // Takes one event in. Events about address spaces that no fork or exec has announced yet are kept
  // and joined later.
  void apply(const Event& event);

  // Sorts each address space by (page, time) and settles ownership. Call once, after the last
  // apply.
  void finish();

  // Instead of finish(), for a session that was recorded after it: takes what is not from events as
  // it was then, and leaves the events to the spaces that they are of. False: what is given
  // contradicts itself.
  [[nodiscard]] bool restore(std::vector<Process> known_processes,
                             std::vector<AddressSpace> known_spaces,
                             std::vector<Mapping> known_mappings);
  // Takes when threads were ending, which finish() and restore() do not know, and gives each
  // resolution its phase. Call once, after either of them.
  void set_phases(std::vector<Ending> ended);

  // No process descends from itself, as it may where events are not the kernel's.
  [[nodiscard]] bool is_consistent() const;

  [[nodiscard]] const Process& process(ProcessKey key) const { return processes[key.value]; }
  [[nodiscard]] Process& process(ProcessKey key) { return processes[key.value]; }
  // The index in `spaces` of one of them.
  [[nodiscard]] std::size_t number_of(const AddressSpace& one) const {
    return static_cast<std::size_t>(&one - spaces.data());
  }
  [[nodiscard]] AddressSpace* find_space(SpaceId id);
  [[nodiscard]] const AddressSpace* find_space(SpaceId id) const;
  // The live process with this pid, or the last one that had it; nullptr if none.
  [[nodiscard]] Process* find_pid(std::int32_t pid);
  [[nodiscard]] const Process* find_pid(std::int32_t pid) const;

  CaptureInfo capture;

 private:
  std::unique_ptr<Arena> memory_ =
      std::make_unique<Arena>();  // of all resolutions; declared before them

 public:
  std::vector<Process> processes;
  std::vector<AddressSpace> spaces;  // spaces[i].id.value need not be i
  std::unordered_map<MappingHash, Mapping> mappings;
  std::unordered_map<StackHash, Stack> stacks;
  std::unordered_map<std::int32_t, ProcessKey> newest_of_pid;
  std::unordered_map<std::int32_t, std::string> visitors;  // command by pid
  std::vector<Ending> endings;                             // by thread and time; set_phases()
  std::vector<Watch> watches;  // by expression, as the user gave them, then in the order in which
                               // the processes were met

 private:
  AddressSpace& space(SpaceId id);
  void own(SpaceId id, ProcessKey owner);
  Process& process_for(std::int32_t pid, std::uint64_t boot_start_ns);
  void apply_one(const Resolution& event);
  void apply_one(const Populate&) {}  // only the audit wants them, while the process lives
  void apply_one(const Fork& event);
  void apply_one(const Exec& event);
  void apply_one(const Exit& event);
  void apply_one(const Mapping& event);
  void apply_one(const Stack& event);
  void apply_one(const Visitor& event);
  void apply_one(const Attach& event);

  std::unordered_map<SpaceId, std::uint32_t> space_index_;
  std::unordered_set<SpaceId> unowned_;  // seen in an event, not announced yet
};

}  // namespace cowtrace::model
