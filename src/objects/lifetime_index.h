// SPDX-License-Identifier: Apache-2.0
// Which registered objects of one address space are where, and when: memory is given back and used
// again, so one range can be many objects in turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/objects.h"
#include "process/interval_index.h"

namespace cowtrace::objects {

// One object while it was registered in one address space.
struct Lifetime {
  process::Interval range;
  std::uint64_t born_ns = 0;
  std::uint64_t died_ns = UINT64_MAX;  // UINT64_MAX: alive when last seen
  const model::Object* object = nullptr;

  [[nodiscard]] bool alive_at(std::uint64_t time_ns) const {
    return born_ns <= time_ns && (time_ns < died_ns || died_ns == UINT64_MAX);
  }
};

class LifetimeIndex {
 public:
  LifetimeIndex() = default;
  explicit LifetimeIndex(std::vector<Lifetime> lifetimes);

  // The innermost object that covers `address` at that time; nullptr if none.
  [[nodiscard]] const model::Object* at(std::uint64_t address, std::uint64_t time_ns) const;

  // All that overlap [start, end) at that time, ascending; an outer one comes before those inside
  // it.
  [[nodiscard]] std::vector<const Lifetime*> in(std::uint64_t start, std::uint64_t end,
                                                std::uint64_t time_ns) const;

  // Ordered by range, then by birth.
  [[nodiscard]] const std::vector<Lifetime>& all() const { return lifetimes_; }

 private:
  // The lifetimes of one range: [first, last) of lifetimes_.
  struct Group {
    std::size_t first = 0;
    std::size_t last = 0;
  };

  [[nodiscard]] const Lifetime* alive_of(const Group& group, std::uint64_t time_ns) const;

  std::vector<Lifetime> lifetimes_;
  std::vector<Group> groups_;
  process::IntervalIndex index_;  // over groups_
};

// What is known after the registry was read again: the lifetimes of `before` that `now` does not
// tell any more (their slots were taken by newer objects) stay, and end at the latest when that
// happened.
[[nodiscard]] std::vector<Lifetime> merge_lifetimes(const std::vector<Lifetime>& before,
                                                    std::vector<Lifetime> now);

}  // namespace cowtrace::objects
