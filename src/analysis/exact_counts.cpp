// SPDX-License-Identifier: Apache-2.0
#include "analysis/exact_counts.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/units.h"

namespace cowtrace::analysis {

namespace {

CountAndBytes seen_in(const model::AddressSpace& space) {
  CountAndBytes seen;
  const auto add = [&](model::Mechanism mechanism, std::uint64_t count, std::uint64_t bytes) {
    seen.count[static_cast<std::size_t>(mechanism)] += count;
    seen.bytes[static_cast<std::size_t>(mechanism)] += bytes;
  };
  for (const model::Resolution& event : space.resolutions) add(event.mechanism, 1, event.size);
  for (const model::PageCount& row : space.page_counts)
    add(row.mechanism, row.count, row.count * row.size);
  return seen;
}

// The larger of the two where they differ: each break is counted before its event is sent, but
// threads that still run have not flushed their counters.
CountAndBytes larger(const CountAndBytes& a, const CountAndBytes& b) {
  CountAndBytes result;
  for (std::size_t m = 0; m < model::kMechanismNumbers; ++m) {
    const CountAndBytes& from = a.count[m] >= b.count[m] ? a : b;
    result.count[m] = from.count[m];
    result.bytes[m] = from.bytes[m];
  }
  return result;
}

void add_to(CountAndBytes& sum, const CountAndBytes& more) {
  for (std::size_t m = 0; m < model::kMechanismNumbers; ++m) {
    sum.count[m] += more.count[m];
    sum.bytes[m] += more.bytes[m];
  }
}

std::uint64_t sum_of_breaks(const ByMechanism& values) {
  std::uint64_t sum = 0;
  for (const model::MechanismInfo& mechanism : model::kMechanismTable)
    if (mechanism.is_break) sum += values[static_cast<std::size_t>(mechanism.mechanism)];
  return sum;
}

}  // namespace

std::uint64_t CountAndBytes::resolutions() const {
  return std::accumulate(count.begin(), count.end(), std::uint64_t{0});
}
std::uint64_t CountAndBytes::breaks() const {
  return sum_of_breaks(count);
}
std::uint64_t CountAndBytes::copied_bytes() const {
  return sum_of_breaks(bytes);
}

ExactCounts::ExactCounts(const model::Session& session) : by_process_(session.processes.size()) {
  CountAndBytes in_spaces;
  std::uint64_t seen_count = 0;
  for (const model::AddressSpace& space : session.spaces) {
    const CountAndBytes seen = seen_in(space);
    const CountAndBytes exact = larger({space.counts.count, space.counts.bytes}, seen);
    seen_count += seen.resolutions();
    add_to(in_spaces, exact);
    if (space.owner.value < by_process_.size()) add_to(by_process_[space.owner.value], exact);
  }
  const CountAndBytes kernel{session.capture.totals.count, session.capture.totals.bytes};
  totals_ = larger(kernel, in_spaces);
  compare(session.capture, kernel, in_spaces.resolutions(), seen_count);
}

void ExactCounts::compare(const model::CaptureInfo& capture, const CountAndBytes& kernel,
                          std::uint64_t counted_in_spaces, std::uint64_t seen) {
  const std::uint64_t counted = kernel.resolutions();
  if (counted == 0) return;  // no backend filled them: nothing to compare with
  if (capture.detail == "counts") {
    if (seen != counted)
      notes_.push_back(fmt::format(
          "inconsistent: the kernel counted {} resolutions, its table of pages holds {}",
          human_count(counted), human_count(seen)));
  } else if (capture.events + capture.lost_events != counted) {
    notes_.push_back(fmt::format(
        "inconsistent: the kernel counted {} resolutions, but {} events arrived and {} were lost",
        human_count(counted), human_count(capture.events), human_count(capture.lost_events)));
  } else if (seen != capture.events) {
    notes_.push_back(
        fmt::format("inconsistent: {} events arrived, {} of them belong to a known address space",
                    human_count(capture.events), human_count(seen)));
  }
  if (counted_in_spaces != counted)
    notes_.push_back(
        fmt::format("the kernel counted {} resolutions, {} of them in processes of this report",
                    human_count(counted), human_count(counted_in_spaces)));
}

}  // namespace cowtrace::analysis
