// SPDX-License-Identifier: Apache-2.0
#include "analysis/timeline.h"

#include <algorithm>
#include <utility>

#include "analysis/clock.h"

namespace cowtrace::analysis {

Timeline::Timeline(std::uint64_t started_ns, std::uint64_t end_ns, std::uint64_t buckets)
    : started_ns_(started_ns), buckets_(std::max<std::uint64_t>(buckets, 1)) {
  // The last bucket also takes what happened at the very end.
  bucket_ns_ = std::max<std::uint64_t>(
      end_ns / buckets_.size() + (end_ns % buckets_.size() != 0 ? 1 : 0), 1);
}

void Timeline::add(model::ProcessKey process, const Touch& touch) {
  if (process != process_) flush();
  process_ = process;
  const std::uint64_t bucket = since(started_ns_, touch.last_ns) / bucket_ns_;
  Bucket& one = buckets_[std::min<std::uint64_t>(bucket, buckets_.size() - 1)];
  one.all.add(touch.count, touch.bytes());
  if (touch.is_ending()) one.ending_bytes += touch.bytes();
}

std::vector<TimelineRow> Timeline::take() {
  flush();
  return std::move(rows_);
}

void Timeline::flush() {
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    const Bucket& one = buckets_[i];
    if (one.all.breaks == 0) continue;
    rows_.push_back({i * bucket_ns_, process_, one.all.bytes, one.all.breaks, one.ending_bytes});
    buckets_[i] = {};
  }
}

}  // namespace cowtrace::analysis
