// SPDX-License-Identifier: Apache-2.0
#include "objects/lifetime_index.h"

#include <algorithm>

namespace cowtrace::objects {
namespace {

// Registered tables are untrusted: however many objects cover an address, no more than this are
// tried.
constexpr int kMaxTried = 1024;

bool in_order(const Lifetime& a, const Lifetime& b) {
  if (a.range == b.range) return a.born_ns < b.born_ns;
  return a.range.before(b.range);
}

bool is_same(const Lifetime& a, const Lifetime& b) {
  return a.range == b.range && a.born_ns == b.born_ns && a.object == b.object;
}

}  // namespace

LifetimeIndex::LifetimeIndex(std::vector<Lifetime> lifetimes) : lifetimes_(std::move(lifetimes)) {
  std::stable_sort(lifetimes_.begin(), lifetimes_.end(), in_order);
  std::vector<process::Interval> ranges;
  for (std::size_t i = 0; i < lifetimes_.size(); ++i) {
    if (groups_.empty() || !(lifetimes_[i].range == ranges.back())) {
      groups_.push_back({i, i});
      ranges.push_back(lifetimes_[i].range);
    }
    groups_.back().last = i + 1;
  }
  index_ = process::IntervalIndex(ranges);
}

const Lifetime* LifetimeIndex::alive_of(const Group& group, std::uint64_t time_ns) const {
  const auto first = lifetimes_.begin() + static_cast<std::ptrdiff_t>(group.first);
  const auto last = lifetimes_.begin() + static_cast<std::ptrdiff_t>(group.last);
  auto newest = std::upper_bound(
      first, last, time_ns,
      [](std::uint64_t time, const Lifetime& lifetime) { return time < lifetime.born_ns; });
  for (int tried = 0; newest != first && tried < kMaxTried; ++tried) {
    --newest;
    if (newest->alive_at(time_ns)) return &*newest;
  }
  return nullptr;
}

const model::Object* LifetimeIndex::at(std::uint64_t address, std::uint64_t time_ns) const {
  std::size_t before = SIZE_MAX;
  for (int tried = 0; tried < kMaxTried; ++tried) {
    const auto found = index_.last_covering(address, before);
    if (!found) return nullptr;
    if (const Lifetime* lifetime = alive_of(groups_[*found], time_ns)) return lifetime->object;
    before = *found;
  }
  return nullptr;
}

std::vector<const Lifetime*> LifetimeIndex::in(std::uint64_t start, std::uint64_t end,
                                               std::uint64_t time_ns) const {
  std::vector<const Lifetime*> found;
  if (start >= end) return found;
  std::size_t before = SIZE_MAX;
  for (int tried = 0; tried < kMaxTried; ++tried) {
    const auto covering = index_.last_covering(start, before);
    if (!covering) break;
    if (const Lifetime* lifetime = alive_of(groups_[*covering], time_ns)) found.push_back(lifetime);
    before = *covering;
  }
  std::reverse(found.begin(), found.end());
  for (std::size_t i = index_.first_from(start + 1); i < groups_.size(); ++i) {
    if (lifetimes_[groups_[i].first].range.start >= end) break;
    if (const Lifetime* lifetime = alive_of(groups_[i], time_ns)) found.push_back(lifetime);
  }
  return found;
}

std::vector<Lifetime> merge_lifetimes(const std::vector<Lifetime>& before,
                                      std::vector<Lifetime> now) {
  std::sort(now.begin(), now.end(), in_order);
  std::uint64_t latest_birth = 0;
  for (const Lifetime& lifetime : now) latest_birth = std::max(latest_birth, lifetime.born_ns);
  std::vector<Lifetime> merged = now;
  for (const Lifetime& old : before) {
    const auto [first, last] = std::equal_range(now.begin(), now.end(), old, in_order);
    if (std::any_of(first, last, [&](const Lifetime& one) { return is_same(one, old); })) continue;
    merged.push_back(old);
    Lifetime& kept = merged.back();
    kept.died_ns = std::min(kept.died_ns, std::max(latest_birth, kept.born_ns));
  }
  return merged;
}

}  // namespace cowtrace::objects
