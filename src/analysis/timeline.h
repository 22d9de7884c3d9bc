// SPDX-License-Identifier: Apache-2.0
// Breaks over time: a bounded number of buckets a process, however many breaks there are.
#pragma once

#include <cstdint>
#include <vector>

#include "analysis/summary.h"
#include "analysis/touch.h"

namespace cowtrace::analysis {

class Timeline {
 public:
  // `end_ns` is the last moment that can occur, since capture started.
  Timeline(std::uint64_t started_ns, std::uint64_t end_ns, std::uint64_t buckets);

  // Touches of one process come one after the other, in any order of time.
  void add(model::ProcessKey process, const Touch& touch);

  [[nodiscard]] std::uint64_t bucket_ns() const { return bucket_ns_; }
  [[nodiscard]] std::vector<TimelineRow> take();

 private:
  void flush();

  std::uint64_t started_ns_;
  std::uint64_t bucket_ns_ = 1;
  model::ProcessKey process_;
  struct Bucket {
    BreakCount all;
    std::uint64_t ending_bytes = 0;
  };
  std::vector<Bucket> buckets_;
  std::vector<TimelineRow> rows_;
};

}  // namespace cowtrace::analysis
