// SPDX-License-Identifier: Apache-2.0
// Fails on an input that takes too long by its own processor time: what else the machine does is no
// finding. (libFuzzer's -timeout goes by the clock, and is there for what hangs.)
#pragma once

#include <cstdio>
#include <cstdlib>

#include "base/clock.h"

namespace cowtrace::fuzz {

class CpuLimit {
 public:
  CpuLimit() = default;
  CpuLimit(const CpuLimit&) = delete;
  CpuLimit& operator=(const CpuLimit&) = delete;
  ~CpuLimit() {
    constexpr std::uint64_t kMostNs = 10'000'000'000;
    if (clock_ns(CLOCK_PROCESS_CPUTIME_ID) - began_ns_ <= kMostNs) return;
    std::fputs("ERROR: an input takes more than 10 s of processor time\n", stderr);
    std::abort();
  }

 private:
  std::uint64_t began_ns_ = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
};

}  // namespace cowtrace::fuzz
