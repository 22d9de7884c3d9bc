// SPDX-License-Identifier: Apache-2.0
#include "scenario/cost.h"

#include <sys/resource.h>

#include <ctime>

namespace scenario {

Cost& Cost::operator+=(const Cost& more) {
  elapsed_ns += more.elapsed_ns;
  faults += more.faults;
  return *this;
}

Cost cost_so_far() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return {static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
              static_cast<std::uint64_t>(now.tv_nsec),
          static_cast<std::uint64_t>(usage.ru_minflt + usage.ru_majflt)};
}

Cost cost_since(const Cost& start) {
  const Cost now = cost_so_far();
  return {now.elapsed_ns - start.elapsed_ns, now.faults - start.faults};
}

}  // namespace scenario
