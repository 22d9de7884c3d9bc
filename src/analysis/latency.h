// SPDX-License-Identifier: Apache-2.0
// How long the kernel took for a fault, per mechanism: exact percentiles, by the nearest rank.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "analysis/summary.h"

namespace cowtrace::analysis {

// Reorders `values`; none of none.
std::optional<Latency> latency_of(std::vector<std::uint32_t>& values);

// None for a mechanism without events; events whose latency is only an upper bound (late) do not
// take part.
std::array<std::optional<Latency>, model::kMechanismNumbers> latency_by_mechanism(
    const model::Session& session);

}  // namespace cowtrace::analysis
