// SPDX-License-Identifier: Apache-2.0
// A user id that nothing else on this machine has: whoever shares the tracer's could stop, kill and
// limit it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cowtrace::pipeline {

// Ids from `first` on, `count` of them.
struct IdRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  [[nodiscard]] bool holds(std::uint64_t id) const { return id >= first && id - first < count; }
};

// The ids of lines as /etc/passwd and /etc/group have them: "NAME:x:ID:...".
void add_ids(std::string_view accounts, std::vector<IdRange>& to);
// The ranges of /etc/subuid and /etc/subgid: "NAME:FIRST:COUNT". Their owners may become each of
// these.
void add_ranges(std::string_view delegated, std::vector<IdRange>& to);
// The ids in the "Uid:" and "Gid:" lines of a /proc/PID/status: real, effective, saved, of files.
void add_process_ids(std::string_view status, std::vector<IdRange>& to);

// Tries ids that `random` gives until one is in none of `used`. None if too many are.
[[nodiscard]] std::optional<uid_t> choose_unused(const std::vector<IdRange>& used,
                                                 const std::function<std::uint32_t()>& random);

// One that no account, no delegated range and no process of this machine has, neither as a user nor
// as a group.
[[nodiscard]] std::optional<uid_t> find_unused_user();

// Where such ids come from: above all that systemd and shadow give out, and below 2^31, which some
// programs take for negative.
inline constexpr IdRange kUnusedUsers = {0x7F000000, 0xFF0000};

}  // namespace cowtrace::pipeline
