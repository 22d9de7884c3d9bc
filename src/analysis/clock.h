// SPDX-License-Identifier: Apache-2.0
// From CLOCK_MONOTONIC to time since capture started.
#pragma once

#include <cstdint>
#include <optional>

namespace cowtrace::analysis {

// 0 for what happened before: attached processes are older than the capture.
constexpr std::uint64_t since(std::uint64_t started_ns, std::uint64_t time_ns) {
  return time_ns > started_ns ? time_ns - started_ns : 0;
}

constexpr std::optional<std::uint64_t> since(std::uint64_t started_ns,
                                             const std::optional<std::uint64_t>& time_ns) {
  return time_ns ? std::optional(since(started_ns, *time_ns)) : std::nullopt;
}

}  // namespace cowtrace::analysis
