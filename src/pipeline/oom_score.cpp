// SPDX-License-Identifier: Apache-2.0
#include "pipeline/oom_score.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "process/cgroup_memory.h"

namespace cowtrace::pipeline {

int oom_score_without(int now, std::uint64_t mapped, std::uint64_t total) {
  constexpr int kLowest = -999;
  constexpr std::uint64_t kWhole = 1000;
  if (total == 0 || now <= kLowest) return now;
  const std::uint64_t part = std::min(mapped, total) * kWhole / total;
  return std::max(now - static_cast<int>(part), kLowest);
}

void do_not_count_for_oom(std::uint64_t mapped) {
  constexpr const char* kPath = "/proc/self/oom_score_adj";
  const auto limit = process::memory_limit(getpid());
  int now = 0;
  if (!limit || !(std::ifstream(kPath) >> now)) return;
  std::ofstream(kPath) << oom_score_without(now, mapped, limit->bytes) << std::flush;
}

}  // namespace cowtrace::pipeline
