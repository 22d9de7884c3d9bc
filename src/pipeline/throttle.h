// SPDX-License-Identifier: Apache-2.0
// Says whether the stops of exact snapshots hold a family up: processes end and others start all
// the time, and for a large part of that time some task of the family stands still. The rate
// without stops is not known, so the share of time is judged. Processes that start together, or end
// together, do not count: the start and the end of a service are over soon.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

namespace cowtrace::pipeline {

class Throttle {
 public:
  // A family that stands still for a sixth of the time is slower by a fifth.
  static constexpr double kMostShare = 1.0 / 6;
  static constexpr std::uint64_t kEnoughReplaced = 100;
  static constexpr std::uint64_t kBudgetNs = 1'000'000'000;  // of stops, which nobody is judged for
  static constexpr std::uint64_t kLongestNs = 10'000'000'000;  // longer ago does not count

  // What was seen in the last `span_ns`.
  struct HeldUp {
    std::uint64_t span_ns = 0;
    double share = 0;            // of that time
    std::uint64_t replaced = 0;  // as Follower::replaced() counts
  };

  // `stopped_ns`: time in which some task stood still; `replaced`: Follower::replaced(). Both are
  // sums since the beginning.
  void update(std::uint64_t now_ns, std::uint64_t stopped_ns, std::uint64_t replaced);
  // None: the family is not held up.
  [[nodiscard]] const std::optional<HeldUp>& held_up() const { return held_up_; }

 private:
  static constexpr std::uint64_t kStepNs = 50'000'000;
  struct Sample {
    std::uint64_t time_ns = 0, stopped_ns = 0, replaced = 0;
  };

  std::deque<Sample> samples_;  // ascending, each kStepNs after the one before it
  std::optional<HeldUp> held_up_;
};

}  // namespace cowtrace::pipeline
