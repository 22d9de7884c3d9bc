// SPDX-License-Identifier: Apache-2.0
// How long the kernel took for a fault, per mechanism: exact percentiles, by the nearest rank.
#pragma once

#include <array>
#include <optional>

#include "analysis/summary.h"

namespace cowtrace::analysis {

// None for a mechanism without events; events whose latency is only an upper bound (late) do not
// take part.
std::array<std::optional<Latency>, model::kMechanisms> latency_by_mechanism(
    const model::Session& session);

}  // namespace cowtrace::analysis
