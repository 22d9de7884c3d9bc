// SPDX-License-Identifier: Apache-2.0
// What happened, as the decoder hands it to the Session. Times are CLOCK_MONOTONIC nanoseconds;
// addresses are virtual addresses of the traced process; frames are physical page frame numbers (0:
// not known).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "model/mechanism.h"
#include "model/phase.h"

namespace cowtrace::model {

// Numbers an address space (the kernel's mm) for the whole capture: threads, vfork children and
// CLONE_VM share it, fork and exec make a new one. Never reused, unlike mm pointers. 0 is "none".
using SpaceId = Id<struct SpaceTag>;
using StackHash =
    Id<struct StackHashTag, std::uint64_t>;  // a distinct stack of this capture; 0: none
using MappingHash =
    Id<struct MappingHashTag, std::uint64_t>;  // a distinct mapping of this capture; 0: none

// One answer of the kernel to a write-protect fault (a *resolution*; a *break* is one kind).
struct Resolution {
  std::uint64_t time_ns = 0;  // when it was complete
  std::uint64_t address = 0;  // exactly what was written
  std::uint64_t ip = 0;       // user-space instruction pointer
  std::uint64_t old_frame = 0;
  std::uint64_t new_frame = 0;
  StackHash stack;
  MappingHash mapping;
  SpaceId space;
  std::int32_t pid = 0;  // who wrote: the thread group id of the actor
  std::int32_t tid = 0;
  std::uint32_t latency_ns = 0;  // fault entry to completion; saturates
  std::uint32_t size = 0;        // bytes that were given: 4096, or a huge page
  Mechanism mechanism = Mechanism::Copy;
  Cause cause = Cause::Unknown;
  // Bits, for there may be millions of these.
  bool in_kernel : 1 = false;  // the kernel wrote on behalf of a system call
  bool late : 1 =
      false;  // seen only at the thread's next fault (futex); latency is then an upper bound
  bool in_python : 1 = false;      // the thread has a Python thread state
  bool gc_collecting : 1 = false;  // and the garbage collector of its interpreter was at work, in
                                   // this thread or in another
  bool has_before : 1 = false;
  Phase phase = Phase::Running;  // Session::set_phases(); in a byte that is there anyway
  std::uint64_t before =
      0;  // has_before: the aligned 8 bytes that hold `address`, as they were before the write
};

// A page that was absent got a frame without copy-on-write: it was unmapped or discarded since.
// Only for the audit.
struct Populate {
  std::uint64_t time_ns = 0;
  std::uint64_t address = 0;
  std::uint64_t new_frame = 0;  // of the base page that holds `address`
  std::uint32_t size = 0;       // bytes that were given: 4096, or a huge page
  SpaceId space;
};

// clone(2) in all its forms. `shares_memory`: thread, vfork, CLONE_VM.
struct Fork {
  std::uint64_t time_ns = 0;
  std::int32_t parent_pid = 0, parent_tid = 0, child_pid = 0, child_tid = 0;
  std::uint64_t child_start_ns =
      0;  // boot time of the child's thread-group leader: with the pid, the identity of a process
  SpaceId parent_space, child_space;
  bool shares_memory = false;
  bool is_thread = false;
  std::optional<std::uint64_t> took_ns;  // in the parent, making the child's memory; none: not
                                         // known, or the memory is shared
  std::string command;                   // comm, untrusted
};

// The counters that a thread kept in the kernel, flushed when it exits or execs: exact even when
// event details were lost.
struct Counts {
  SpaceId space;
  std::array<std::uint64_t, kMechanismNumbers> count{};
  std::array<std::uint64_t, kMechanismNumbers> bytes{};
};

struct Exec {
  std::uint64_t time_ns = 0;
  std::int32_t pid = 0, tid = 0, old_tid = 0;
  std::uint64_t start_ns = 0;
  SpaceId old_space, new_space;  // old_space 0: the command itself, which was not traced before
  Counts counts;                 // of this thread in old_space
  std::string command;
};

struct Exit {
  std::uint64_t time_ns = 0;
  std::int32_t pid = 0, tid = 0;
  std::uint64_t start_ns = 0;
  bool process_ended = false;  // the last thread
  std::optional<std::uint32_t>
      wait_status;  // of the process, as wait(2) gives it; none unless it has ended
  Counts counts;
  std::string command;  // what the process is called in the end
};

// The mapping (vm_area_struct) that held an address at the moment of a break, sent once.
struct Mapping {
  MappingHash hash;
  SpaceId space;
  std::uint64_t start = 0, end = 0;
  std::uint64_t file_offset = 0;  // of `start`, in bytes
  std::uint64_t inode = 0;        // 0: anonymous
  std::uint32_t device = 0;       // kernel's dev_t
  std::uint64_t flags = 0;        // VM_*
  std::uint64_t brk_start = 0, brk_end = 0, stack_start = 0;
  std::string name;  // last component of the file's path, or the anonymous name (untrusted)
  std::string path;  // full path, where /proc/PID/maps told it
};

// A stack frame of a Python function, as the interpreter keeps it.
struct PythonFrame {
  std::uint64_t code = 0;         // address of the code object
  std::uint64_t instruction = 0;  // address in its code; to 3.10 f_lasti, as it is there
  std::uint8_t owner = 0;         // enum _frameowner; 0 to 3.10
  friend constexpr auto operator<=>(const PythonFrame&, const PythonFrame&) = default;
};

struct Stack {
  static constexpr int kMostFrames = 64;  // of either kind
  StackHash hash;
  SpaceId space;  // where it was first seen
  std::vector<std::uint64_t>
      frames;  // user-space instruction pointers, innermost first; return addresses after the first
  bool truncated = false;  // of `frames`
  std::vector<PythonFrame>
      python;  // innermost first, as the interpreter links them: its entry frames too
  bool python_truncated = false;
};

// A process that broke pages of a space that is not its own, and may be of no traced family.
struct Visitor {
  std::int32_t pid = 0;
  std::string command;  // comm, untrusted
};

// A process that ran already when it became part of the family. Its parent, if that is part of it
// too, was told before.
struct Attach {
  std::uint64_t time_ns = 0;
  std::int32_t pid = 0;
  std::int32_t parent_pid = 0;
  std::uint64_t start_ns = 0;  // CLOCK_BOOTTIME
  SpaceId parent_space;  // of the parent, from which it was forked and has executed nothing since;
                         // none if that is not known
  SpaceId space;
  std::string command;
};

using Event = std::variant<Resolution, Populate, Fork, Exec, Exit, Mapping, Stack, Visitor, Attach>;

}  // namespace cowtrace::model
