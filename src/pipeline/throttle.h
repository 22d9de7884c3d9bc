// SPDX-License-Identifier: Apache-2.0
// Tells whether the stops of exact snapshots hold a family up: a family that forks all the time and that we keep standing for a large part of it.
// How often it would fork without us is not known, so it is our own share of its time that counts.
#pragma once

#include <cstdint>

namespace cowtrace::pipeline {

class Throttle {
 public:
  static constexpr std::uint64_t kWindowNs = 1'000'000'000;
  static constexpr std::uint64_t kMostStoppedNs = 300'000'000;  // of a window
  static constexpr std::uint64_t kFewForks = 200;               // in a window: slow for they are large, which has a budget of its own
  static constexpr int kWindows = 2;                            // in a row: one is a program that starts

  // So far the tracer has spent `stopped_ns` with tasks that stood still, and `forks` were made; both only grow.
  void update(std::uint64_t now_ns, std::uint64_t stopped_ns, std::uint64_t forks);
  [[nodiscard]] bool holds_up() const { return in_a_row_ >= kWindows; }

 private:
  std::uint64_t since_ns_ = 0, stopped_ns_ = 0, forks_ = 0;  // where this window began
  int in_a_row_ = 0;
};

}  // namespace cowtrace::pipeline
