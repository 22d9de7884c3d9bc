// SPDX-License-Identifier: Apache-2.0
#include "pipeline/stopped_time.h"

#include <algorithm>

namespace cowtrace::pipeline {

void StoppedTime::add(std::uint64_t began_ns, std::uint64_t ended_ns,
                      std::optional<std::uint64_t> stopped_at) {
  const bool known = stopped_at && *stopped_at <= began_ns;
  const std::uint64_t since = known ? *stopped_at : began_ns - std::min(usual_ns_, began_ns);
  if (since > until_ns_ + kBetweenNs) {
    before_ns_ = until_ns_;
    since_ns_ = until_ns_ = since;
    first_began_ns_ = began_ns;
  }
  // The parent's stop at a fork comes with its child's, of which alone the beginning is known.
  const std::uint64_t earlier = std::min(since_ns_, std::max(since, before_ns_));
  sum_ns_ += since_ns_ - earlier + (ended_ns - std::min(until_ns_, ended_ns));
  since_ns_ = earlier;
  until_ns_ = std::max(until_ns_, ended_ns);
  if (known && *stopped_at > before_ns_ && *stopped_at <= first_began_ns_)
    usual_ns_ = (3 * usual_ns_ + (first_began_ns_ - *stopped_at)) / 4;
}

}  // namespace cowtrace::pipeline
