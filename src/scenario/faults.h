// SPDX-License-Identifier: Apache-2.0
// Whether a store took a page fault, from the kernel's own count for this thread.
#pragma once

#include <vector>

#include "scenario/failure.h"
#include "scenario/trial.h"

namespace scenario {

// Stores one word on every page; the addresses of those pages whose store faulted. Faults that
// ended in a signal do not count.
std::vector<std::uint64_t> store_and_count_faults(Region region);

// A write fault that left the frame in place was answered by making the page writable. `truth`
// comes from a Trial that takes no written page for protected.
void add_reuses(ProcessTruth& truth, const std::vector<std::uint64_t>& faulted);

}  // namespace scenario
