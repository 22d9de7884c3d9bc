// SPDX-License-Identifier: Apache-2.0
// Names by number, of what a trace keeps in four bits. A trace of a newer program may hold numbers
// that this program has no name for: each has one that says so.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace cowtrace::model {

using NumberNames = std::array<std::string_view, 16>;

inline constexpr NumberNames kUnknownNumbers = {
    "unknown (0)",  "unknown (1)",  "unknown (2)",  "unknown (3)", "unknown (4)",  "unknown (5)",
    "unknown (6)",  "unknown (7)",  "unknown (8)",  "unknown (9)", "unknown (10)", "unknown (11)",
    "unknown (12)", "unknown (13)", "unknown (14)", "unknown (15)"};

// The names that this program knows, by number from 0 on, and those of the numbers behind them.
template <std::size_t Known>
constexpr NumberNames names_of_numbers(const std::array<std::string_view, Known>& known) {
  static_assert(Known <= kUnknownNumbers.size());
  NumberNames names = kUnknownNumbers;
  for (std::size_t i = 0; i < Known; ++i) names[i] = known[i];
  return names;
}

}  // namespace cowtrace::model
