// SPDX-License-Identifier: Apache-2.0
// Which of many address ranges cover an address, when ranges may nest and overlap in any way: O(log
// n) a question whatever untrusted tables hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace cowtrace::process {

// [start, end)
struct Interval {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  friend constexpr bool operator==(const Interval&, const Interval&) = default;
  // The order that IntervalIndex wants: a range comes before those inside it.
  [[nodiscard]] constexpr bool before(const Interval& other) const {
    return start != other.start ? start < other.start : end > other.end;
  }
};

class IntervalIndex {
 public:
  IntervalIndex() = default;
  // `intervals` in the order of Interval::before; answers are indices of it.
  explicit IntervalIndex(const std::vector<Interval>& intervals);

  // The last interval with an index below `limit` that covers `address`: for nested ranges the
  // innermost. Asking again with the answer as `limit` goes outwards.
  [[nodiscard]] std::optional<std::size_t> last_covering(std::uint64_t address,
                                                         std::size_t limit = SIZE_MAX) const;

  // The first interval that starts at `address` or later; size() if none.
  [[nodiscard]] std::size_t first_from(std::uint64_t address) const;

  [[nodiscard]] std::size_t size() const { return starts_.size(); }

 private:
  std::vector<std::uint64_t> starts_;
  std::vector<std::uint64_t>
      max_end_;  // a heap-shaped tree over the ends: node i is the maximum of 2i and 2i+1
  std::size_t leaves_ = 0;
};

}  // namespace cowtrace::process
