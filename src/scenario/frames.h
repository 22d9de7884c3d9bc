// SPDX-License-Identifier: Apache-2.0
// The physical frames behind this process's own pages, from /proc/self/pagemap; reading it touches
// none of them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "scenario/failure.h"
#include "scenario/truth.h"

namespace scenario {

// Calls visit(index of the page in all regions, frame) for every page of `regions`. `block` is the
// caller's scratch space. Fails if a page is not present, 77 if this user may not see frames.
Result<void> visit_frames(std::span<const Region> regions, std::span<std::uint64_t> block,
                          const std::function<void(std::uint64_t, std::uint64_t)>& visit);

}  // namespace scenario
