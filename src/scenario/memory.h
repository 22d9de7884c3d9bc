// SPDX-License-Identifier: Apache-2.0
// Fresh private memory whose frames belong to this process alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "scenario/failure.h"

namespace scenario {

// Anonymous memory of base pages only, whatever the machine's policy; mapped for the life of the
// process, at `address` if one is given.
Result<std::byte*> map_private(std::uint64_t bytes, std::uint64_t address = 0);

// Runs `fill`, which touches fresh memory, and then sees to it that the kernel holds no reference
// of its own to the frames that it got.
Result<void> fill_and_settle(const std::function<void()>& fill);

// No frame is in a CPU's LRU batch any more, which would hold a reference to it.
Result<void> flush_lru_batch();

}  // namespace scenario
