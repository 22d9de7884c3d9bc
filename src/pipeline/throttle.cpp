// SPDX-License-Identifier: Apache-2.0
#include "pipeline/throttle.h"

#include <algorithm>

namespace cowtrace::pipeline {

void Throttle::update(std::uint64_t now_ns, std::uint64_t stopped_ns, std::uint64_t replaced) {
  held_up_.reset();
  while (!samples_.empty() && now_ns - samples_.front().time_ns > kLongestNs) samples_.pop_front();
  // The shortest span that is long enough to judge: what was before it may be over.
  const auto from = std::find_if(samples_.rbegin(), samples_.rend(), [&](const Sample& sample) {
    return replaced - sample.replaced >= kEnoughReplaced &&
           stopped_ns - sample.stopped_ns >= kBudgetNs;
  });
  if (from != samples_.rend()) {
    HeldUp seen{now_ns - from->time_ns, 0, replaced - from->replaced};
    seen.share = static_cast<double>(stopped_ns - from->stopped_ns) /
                 static_cast<double>(std::max<std::uint64_t>(seen.span_ns, 1));
    if (seen.share > kMostShare) held_up_ = seen;
  }
  if (samples_.empty() || now_ns - samples_.back().time_ns >= kStepNs)
    samples_.push_back({now_ns, stopped_ns, replaced});
}

}  // namespace cowtrace::pipeline
