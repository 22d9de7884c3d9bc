// SPDX-License-Identifier: Apache-2.0
// How much memory a process may have: the limits of its control group and of all above it, and the
// memory of the machine.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cowtrace::process {

struct MemoryLimit {
  std::uint64_t bytes = 0;
  std::string of;  // "the machine", or the control group that sets the limit as its file is called;
                   // untrusted
  friend bool operator==(const MemoryLimit&, const MemoryLimit&) = default;
};

// Files that may hold a limit, the group of the process itself first. `cgroup` is the text of
// /proc/PID/cgroup, `mountinfo` that of /proc/self/mountinfo. Both versions of control groups are
// looked for.
[[nodiscard]] std::vector<std::string> memory_limit_files(std::string_view cgroup,
                                                          std::string_view mountinfo);

// A limit as memory.max (version 2) and memory.limit_in_bytes (version 1) have it; none for "max".
[[nodiscard]] std::optional<std::uint64_t> parse_memory_limit(std::string_view text);

// MemTotal of /proc/meminfo, in bytes.
[[nodiscard]] std::optional<std::uint64_t> parse_total_memory(std::string_view meminfo);

// The same of any field of such a text: "MemAvailable:".
[[nodiscard]] std::optional<std::uint64_t> parse_memory_field(std::string_view meminfo,
                                                              std::string_view field);

// How many bytes a group with this limit still gives: what it uses (memory.current or
// memory.usage_in_bytes) is taken off, but not the part of it that are files which nobody has used
// lately ("inactive_file" of memory.stat), for the kernel takes that back first.
[[nodiscard]] std::uint64_t left_of_limit(std::uint64_t limit, std::uint64_t used,
                                          std::string_view statistics);

// How much memory this process could still take without anything being killed or swapped out: of
// the machine, and of its control group and all above it. None if not even the machine tells.
[[nodiscard]] std::optional<std::uint64_t> available_memory();

// The tightest of all limits of `pid`; none if not even the memory of the machine can be read.
[[nodiscard]] std::optional<MemoryLimit> memory_limit(pid_t pid);

}  // namespace cowtrace::process
