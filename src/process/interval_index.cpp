// SPDX-License-Identifier: Apache-2.0
#include "process/interval_index.h"

#include <algorithm>
#include <bit>

namespace cowtrace::process {

IntervalIndex::IntervalIndex(const std::vector<Interval>& intervals) {
  starts_.reserve(intervals.size());
  leaves_ = std::bit_ceil(intervals.size() +
                          1);  // one spare, so that an exclusive right bound is a leaf too
  max_end_.assign(2 * leaves_, 0);
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    starts_.push_back(intervals[i].start);
    max_end_[leaves_ + i] = intervals[i].end;
  }
  for (std::size_t node = leaves_ - 1; node > 0; --node) {
    max_end_[node] = std::max(max_end_[2 * node], max_end_[2 * node + 1]);
  }
}

std::optional<std::size_t> IntervalIndex::last_covering(std::uint64_t address,
                                                        std::size_t limit) const {
  const auto started = std::upper_bound(starts_.begin(), starts_.end(), address) - starts_.begin();
  const std::size_t count = std::min(static_cast<std::size_t>(started), limit);
  if (count == 0) return std::nullopt;
  for (std::size_t node = leaves_ + count; node > 1; node /= 2) {
    if (node % 2 == 0) continue;
    --node;  // the left sibling lies wholly below the bound
    if (max_end_[node] <= address) continue;
    while (node < leaves_) {
      node = 2 * node + 1;
      if (max_end_[node] <= address) --node;
    }
    return node - leaves_;
  }
  return std::nullopt;
}

std::size_t IntervalIndex::first_from(std::uint64_t address) const {
  return static_cast<std::size_t>(std::lower_bound(starts_.begin(), starts_.end(), address) -
                                  starts_.begin());
}

}  // namespace cowtrace::process
