// SPDX-License-Identifier: Apache-2.0
// The small sums that every section of the Summary is made of.
#pragma once

#include <array>
#include <cstdint>

#include "model/mechanism.h"

namespace cowtrace::analysis {

struct BreakCount {
  std::uint64_t breaks = 0;
  std::uint64_t bytes = 0;

  void add(std::uint64_t more_breaks, std::uint64_t more_bytes) {
    breaks += more_breaks;
    bytes += more_bytes;
  }
};

// Indexed by model::Cause.
using ByCause = std::array<BreakCount, model::kCauseNames.size()>;

// Indexed by model::Mechanism.
using ByMechanism = std::array<std::uint64_t, model::kMechanisms>;

}  // namespace cowtrace::analysis
