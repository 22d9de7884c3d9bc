// SPDX-License-Identifier: Apache-2.0
// A stack that BPF could not walk to its end, for it had no rule for an address: how far it came,
// and the memory that the rest is in.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/unwind_rule.h"
#include "model/events.h"

namespace cowtrace::capture {

struct StackCopy {
  model::Stack known;         // has the hash that the break has
  UnwindRegisters registers;  // of the last of known.frames
  std::uint64_t scope = 0;  // whose rules: processes that have the same code at the same addresses
  pid_t pid = 0;            // 0: not to be seen from here
  std::uint64_t start_code = 0,
                start_stack = 0;  // of the program that it ran, as in /proc/PID/stat
  std::uint64_t file_start = 0,
                file_size = 0;    // the walk ends there: the interpreter, whose frames `known` has
  int limit = 0;                  // of stack frames
  std::vector<std::byte> memory;  // from registers.sp on

  // The 8 bytes at `address`, if they are in `memory`.
  [[nodiscard]] std::optional<std::uint64_t> word(std::uint64_t address) const;
};

// As decode().
[[nodiscard]] Result<StackCopy> decode_stack_copy(std::span<const std::byte> bytes);

}  // namespace cowtrace::capture
