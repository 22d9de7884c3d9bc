// SPDX-License-Identifier: Apache-2.0
// Sorting what is in order already but for a few seams, as events of several CPUs are.
#pragma once

#include <algorithm>
#include <vector>

namespace cowtrace {

// Sorts [first, last), keeping equal elements in their order. Linear in what is sorted already; as
// std::stable_sort where nothing is.
template <typename Iterator, typename Less>
void sort_runs(Iterator first, Iterator last, Less less) {
  constexpr std::size_t kMostRuns = 256;
  std::vector<Iterator> seams = {first};
  while (seams.back() != last) {
    seams.push_back(std::is_sorted_until(seams.back(), last, less));
    if (seams.size() > kMostRuns) {
      std::stable_sort(first, last, less);
      return;
    }
  }
  // Neighbours two by two, so that each element is moved at most log2(runs) times.
  while (seams.size() > 2) {
    std::vector<Iterator> merged = {first};
    for (std::size_t i = 2; i < seams.size(); i += 2) {
      std::inplace_merge(seams[i - 2], seams[i - 1], seams[i], less);
      merged.push_back(seams[i]);
    }
    if (merged.back() != last) merged.push_back(last);
    seams = std::move(merged);
  }
}

}  // namespace cowtrace
