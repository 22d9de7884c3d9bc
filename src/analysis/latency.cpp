// SPDX-License-Identifier: Apache-2.0
#include "analysis/latency.h"

#include <algorithm>

namespace cowtrace::analysis {

namespace {

// The smallest value that at least `percent` of all do not exceed. Reorders `values`, which is not
// empty.
std::uint64_t percentile(std::vector<std::uint32_t>& values, std::size_t percent) {
  const std::size_t rank = (values.size() * percent + 99) / 100;
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(std::max<std::size_t>(rank, 1) - 1);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

std::optional<Latency> latency_of(std::vector<std::uint32_t>& values) {
  if (values.empty()) return std::nullopt;
  return Latency{percentile(values, 50), percentile(values, 99),
                 *std::max_element(values.begin(), values.end())};
}

std::array<std::optional<Latency>, model::kMechanismNumbers> latency_by_mechanism(
    const model::Session& session) {
  std::array<std::optional<Latency>, model::kMechanismNumbers> result;
  std::array<std::vector<std::uint32_t>, model::kMechanismNumbers> values;
  for (const model::AddressSpace& space : session.spaces)
    for (const model::Resolution& event : space.resolutions)
      if (!event.late)
        values[static_cast<std::size_t>(event.mechanism)].push_back(event.latency_ns);
  for (std::size_t m = 0; m < model::kMechanismNumbers; ++m) result[m] = latency_of(values[m]);
  return result;
}

}  // namespace cowtrace::analysis
