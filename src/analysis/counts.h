// SPDX-License-Identifier: Apache-2.0
// The small sums that every section of the Summary is made of.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "model/mechanism.h"
#include "model/phase.h"

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

// Indexed by model::Phase.
using ByPhase = std::array<BreakCount, model::kPhases>;

// Causes that occurred, in order; smaller than ByCause where most have none.
using SomeCauses = std::vector<std::pair<model::Cause, BreakCount>>;
inline void add_to(SomeCauses& causes, model::Cause cause, std::uint64_t breaks,
                   std::uint64_t bytes) {
  auto at = std::lower_bound(causes.begin(), causes.end(), cause,
                             [](const auto& one, model::Cause value) { return one.first < value; });
  if (at == causes.end() || at->first != cause) at = causes.insert(at, {cause, {}});
  at->second.add(breaks, bytes);
}

// Indexed by model::Mechanism.
using ByMechanism = std::array<std::uint64_t, model::kMechanismNumbers>;

}  // namespace cowtrace::analysis
