// SPDX-License-Identifier: Apache-2.0
#include "pipeline/throttle.h"

namespace cowtrace::pipeline {

void Throttle::update(std::uint64_t now_ns, std::uint64_t stopped_ns, std::uint64_t forks) {
  if (since_ns_ != 0 && now_ns - since_ns_ < kWindowNs) return;
  if (since_ns_ != 0) {
    // A window is longer where we were late: it is a share that is compared.
    const double share = static_cast<double>(stopped_ns - stopped_ns_) / static_cast<double>(now_ns - since_ns_);
    const double most = static_cast<double>(kMostStoppedNs) / static_cast<double>(kWindowNs);
    in_a_row_ = share > most && forks - forks_ >= kFewForks ? in_a_row_ + 1 : 0;
  }
  since_ns_ = now_ns;
  stopped_ns_ = stopped_ns;
  forks_ = forks;
}

}  // namespace cowtrace::pipeline
