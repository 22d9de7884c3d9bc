// SPDX-License-Identifier: Apache-2.0
// In which part of its life a program broke a page. What a program copies while it ends serves
// nobody, and is avoided in other ways than what it copies at work.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace cowtrace::model {

// The order is append-only, as that of Mechanism is.
enum class Phase : std::uint8_t {
  Starting,  // a program that was started by exec, until it forks for the first time
  Running,
  Ending,  // exit handlers, destructors, or the end of an interpreter were on the thread's stack,
           // or it had entered exit()
};
inline constexpr std::array<std::string_view, 3> kPhaseNames = {"starting", "running", "ending"};
inline constexpr std::size_t kPhases = kPhaseNames.size();
constexpr std::string_view name(Phase phase) {
  return kPhaseNames[static_cast<std::size_t>(phase)];
}

// From `from_ns` to `to_ns` (CLOCK_MONOTONIC, both included) this thread was ending its program.
struct Ending {
  std::int32_t tid = 0;
  std::uint64_t from_ns = 0;
  std::uint64_t to_ns = 0;  // UINT64_MAX: it never came back
};

}  // namespace cowtrace::model
