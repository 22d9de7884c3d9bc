// SPDX-License-Identifier: Apache-2.0
// What writing costs the process that writes.
#pragma once

#include <cstdint>

namespace scenario {

struct Cost {
  std::uint64_t elapsed_ns = 0;
  std::uint64_t faults = 0;  // of all its threads, whatever they were for

  Cost& operator+=(const Cost& more);
};

// Since some moment, on the clock and in the kernel's count of faults (getrusage).
Cost cost_so_far();
Cost cost_since(const Cost& start);

}  // namespace scenario
