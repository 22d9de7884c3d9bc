// SPDX-License-Identifier: Apache-2.0
// Time in which at least one task of a family stood still for its tracer. A stop lasts from when
// the task stopped, which is before the tracer is told of it, until the tracer has let it go.
#pragma once

#include <cstdint>
#include <optional>

namespace cowtrace::pipeline {

class StoppedTime {
 public:
  // One stop, which the tracer began to handle at `began_ns` and was done with at `ended_ns`. Stops
  // are handled one after the other. `stopped_at`: when the task stopped; none: not known, then the
  // time that is usual until the tracer begins is taken.
  void add(std::uint64_t began_ns, std::uint64_t ended_ns, std::optional<std::uint64_t> stopped_at);
  // The sum, in which stops at one time count once.
  [[nodiscard]] std::uint64_t ns() const { return sum_ns_; }

 private:
  // Between two stops that were there at one time the tracer takes no longer.
  static constexpr std::uint64_t kBetweenNs = 100'000;

  std::uint64_t sum_ns_ = 0;
  std::uint64_t usual_ns_ = 0;                 // from a stop until the tracer begins
  std::uint64_t since_ns_ = 0, until_ns_ = 0;  // the last time in which some task stood still
  std::uint64_t first_began_ns_ = 0;           // of the stops in it
  std::uint64_t before_ns_ = 0;                // when the time before that ended
};

}  // namespace cowtrace::pipeline
