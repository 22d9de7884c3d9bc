// SPDX-License-Identifier: Apache-2.0
// The small files of /proc/PID. All text comes from the process and is untrusted.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cowtrace::process {

// Thread ids, ascending.
[[nodiscard]] Result<std::vector<pid_t>> list_threads(pid_t pid);

// All processes of this pid namespace, ascending.
[[nodiscard]] Result<std::vector<pid_t>> list_processes();

[[nodiscard]] Result<std::string> read_comm(pid_t pid);

// Empty for kernel threads and zombies.
[[nodiscard]] Result<std::vector<std::string>> read_cmdline(pid_t pid);

// The path that /proc/PID/exe shows, " (deleted)" included.
[[nodiscard]] Result<std::string> read_exe(pid_t pid);

// What identifies a process besides its pid, and who made it.
struct ProcStat {
  char state = '?';  // R, S, D, Z, T, t, X, ...
  pid_t parent = 0;
  std::uint32_t flags = 0;        // PF_* of include/linux/sched.h
  std::uint64_t start_ticks = 0;  // since boot, in 1/sysconf(_SC_CLK_TCK) seconds
};
[[nodiscard]] Result<ProcStat> parse_stat(std::string_view text);
[[nodiscard]] Result<ProcStat> read_stat(pid_t pid);

// Where a program was put when it was executed: forked processes have the same. All 0 to who may
// not see it, and at its end.
struct ProgramPlace {
  std::uint64_t start_code = 0, start_stack = 0;
  friend bool operator==(const ProgramPlace&, const ProgramPlace&) = default;
};
[[nodiscard]] Result<ProgramPlace> parse_program_place(std::string_view text);
[[nodiscard]] Result<ProgramPlace> read_program_place(pid_t pid);

// Pages of mappings that can be executed and not written: mm->exec_vm, which the kernel divides
// into VmExe and VmLib (fs/proc/task_mmu.c). Errors: it cannot be read, or the process has no
// memory any more.
[[nodiscard]] Result<std::uint64_t> parse_executable_pages(std::string_view status);
[[nodiscard]] Result<std::uint64_t> read_executable_pages(pid_t pid);

// How long a task has waited for a processor since it was made, in ns. Errors: the kernel does not
// tell (CONFIG_SCHED_INFO), or there is no such task.
[[nodiscard]] Result<std::uint64_t> parse_run_delay(std::string_view schedstat);
[[nodiscard]] Result<std::uint64_t> read_run_delay(pid_t tid);

// How many anonymous pages of the process are in memory.
[[nodiscard]] Result<std::uint64_t> read_anonymous_pages(pid_t pid);

// The kernel's nanoseconds since boot as /proc shows them, for comparing with
// ProcStat::start_ticks.
[[nodiscard]] std::uint64_t boot_ticks(std::uint64_t boot_ns);

}  // namespace cowtrace::process
