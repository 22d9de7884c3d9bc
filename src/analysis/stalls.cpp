// SPDX-License-Identifier: Apache-2.0
#include "analysis/stalls.h"

#include <algorithm>

#include "analysis/latency.h"

namespace cowtrace::analysis {

namespace {

void add_forks(const model::Session& session, std::vector<StallSummary>& stalls) {
  for (const model::Process& child : session.processes) {
    if (!child.fork_took_ns || !child.parent) continue;
    StallSummary& stall = stalls[child.parent->value];
    ++stall.forks;
    stall.fork_total_ns += *child.fork_took_ns;
    stall.fork_max_ns = std::max(stall.fork_max_ns, *child.fork_took_ns);
  }
}

void add_breaks(const model::Session& session, std::vector<StallSummary>& stalls) {
  std::vector<std::vector<std::uint32_t>> latencies(stalls.size());
  for (const model::AddressSpace& space : session.spaces) {
    if (space.owner.value >= stalls.size()) continue;
    StallSummary& stall = stalls[space.owner.value];
    for (const model::Resolution& event : space.resolutions) {
      if (!model::is_break(event.mechanism) || event.late || event.cause == model::Cause::Remote)
        continue;
      ++stall.breaks;
      stall.break_total_ns += event.latency_ns;
      const auto bound = std::upper_bound(StallSummary::kBounds.begin(),
                                          StallSummary::kBounds.end(), event.latency_ns);
      ++stall.bucket[static_cast<std::size_t>(bound - StallSummary::kBounds.begin())];
      latencies[space.owner.value].push_back(event.latency_ns);
    }
  }
  for (std::size_t i = 0; i < stalls.size(); ++i) stalls[i].latency = latency_of(latencies[i]);
}

}  // namespace

std::vector<StallSummary> stall_summaries(const model::Session& session) {
  std::vector<StallSummary> stalls(session.processes.size());
  for (std::size_t i = 0; i < stalls.size(); ++i)
    stalls[i].process = model::ProcessKey(static_cast<std::uint32_t>(i));
  add_forks(session, stalls);
  add_breaks(session, stalls);
  std::erase_if(stalls,
                [](const StallSummary& stall) { return stall.forks == 0 && stall.breaks == 0; });
  std::stable_sort(stalls.begin(), stalls.end(), [](const StallSummary& a, const StallSummary& b) {
    return a.fork_total_ns + a.break_total_ns > b.fork_total_ns + b.break_total_ns;
  });
  return stalls;
}

}  // namespace cowtrace::analysis
