// SPDX-License-Identifier: Apache-2.0
#include "analysis/advice/evidence.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text_width.h"
#include "base/units.h"

namespace cowtrace::analysis {

bool Evidence::is_worth_it(std::uint64_t bytes) const {
  constexpr std::uint64_t kLeast = 256 * 1024;
  constexpr std::uint64_t kShare = 20;
  return bytes >= kLeast && bytes >= summary.totals.copied_bytes / kShare;
}

BreakCount Evidence::at_work(model::Cause cause) const {
  const BreakCount& all = of_cause(summary.totals.by_cause, cause);
  const BreakCount& ending = of_cause(summary.totals.ending_by_cause, cause);
  return {all.breaks - ending.breaks, all.bytes - ending.bytes};
}

bool Evidence::was_forked(model::ProcessKey process) const {
  return process.value < summary.processes.size() &&
         summary.processes[process.value].forked_from.has_value();
}

std::size_t Evidence::forked(const std::vector<model::ProcessKey>& processes) const {
  return static_cast<std::size_t>(
      std::count_if(processes.begin(), processes.end(),
                    [this](model::ProcessKey process) { return was_forked(process); }));
}

bool Evidence::has_fork_server() const {
  const auto serves = [](const model::StackFrame* frame) {
    return frame->python && frame->file.ends_with("/multiprocessing/forkserver.py");
  };
  return std::any_of(summary.sites.begin(), summary.sites.end(), [&](const SiteSummary& site) {
    return std::any_of(site.frames.begin(), site.frames.end(), serves);
  });
}

std::size_t Evidence::most_forks() const {
  std::vector<std::size_t> forks(summary.processes.size());
  std::size_t most = 0;
  for (const ProcessSummary& process : summary.processes)
    if (process.forked_from && process.forked_from->value < forks.size())
      most = std::max(most, ++forks[process.forked_from->value]);
  return most;
}

bool is_since(std::string_view version, int minor) {
  if (!version.starts_with("3.")) return false;
  int found = 0;
  const auto [end, error] =
      std::from_chars(version.data() + 2, version.data() + version.size(), found);
  return error == std::errc() && found >= minor;
}

std::string counted(std::uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", human_count(count), count == 1 ? one : many);
}

std::string costliest(std::vector<NamedCost>& costs) {
  constexpr std::size_t kShown = 3;
  constexpr std::size_t kLongest = 63;  // columns of a name
  std::sort(costs.begin(), costs.end(), [](const NamedCost& a, const NamedCost& b) {
    return a.cost.bytes != b.cost.bytes ? a.cost.bytes > b.cost.bytes : a.name < b.name;
  });
  const std::size_t shown = std::min(costs.size(), kShown);
  std::string text;
  for (std::size_t i = 0; i < shown; ++i) {
    const std::string name = fitted(printable(costs[i].name), kLongest);
    const bool last = i + 1 == costs.size();
    text += fmt::format("{}{}", i == 0 ? "" : last ? " and " : ", ", name);
  }
  if (costs.size() > shown) text += fmt::format(" and {} more", human_count(costs.size() - shown));
  return text;
}

std::string_view container_of(std::string_view group) {
  const std::size_t items = group.find("[...]");
  return items == std::string_view::npos ? std::string_view() : group.substr(0, items);
}

}  // namespace cowtrace::analysis
