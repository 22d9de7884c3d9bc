// SPDX-License-Identifier: Apache-2.0
// What makes two sides hard to compare.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "analysis/compare.h"
#include "base/units.h"

namespace cowtrace::analysis {

namespace {

using Runs = std::vector<RunFigures>;

std::string joined(const std::vector<std::string>& words, std::string_view between) {
  std::string text;
  for (const std::string& word : words)
    text += (text.empty() ? "" : std::string(between)) + printable(word);
  return text;
}

struct Property {
  std::string_view what;
  std::string (*of)(const RunFigures&);
};

const std::vector<Property>& properties() {
  static const std::vector<Property> list = {
      {"the command", [](const RunFigures& run) { return joined(run.capture.command, " "); }},
      {"the kernel", [](const RunFigures& run) { return printable(run.capture.kernel); }},
      {"the machine", [](const RunFigures& run) { return printable(run.capture.arch); }},
      {"the backend", [](const RunFigures& run) { return printable(run.capture.backend); }},
      {"--detail", [](const RunFigures& run) { return printable(run.capture.detail); }},
      {"--snapshot", [](const RunFigures& run) { return printable(run.capture.snapshot); }},
      {"what could not be seen",
       [](const RunFigures& run) { return joined(run.capture.blind_spots, "; "); }},
      {"the version of CPython",
       [](const RunFigures& run) {
         return joined({run.pythons.begin(), run.pythons.end()}, " and ");
       }},
      {"the number of processes", [](const RunFigures& run) { return human_count(run.processes); }},
  };
  return list;
}

std::string list_of(const std::set<std::string>& values) {
  std::string text;
  for (const std::string& value : values)
    text += (text.empty() ? "" : " or ") + (value.empty() ? "nothing" : value);
  return text;
}

void warn_of_differences(const Runs& before, const Runs& after,
                         std::vector<std::string>& warnings) {
  for (const Property& property : properties()) {
    std::set<std::string> values_before;
    std::set<std::string> values_after;
    for (const RunFigures& run : before) values_before.insert(property.of(run));
    for (const RunFigures& run : after) values_after.insert(property.of(run));
    if (values_before.size() > 1 || values_before != values_after)
      warnings.push_back(fmt::format("{} differs: {} before, {} after", property.what,
                                     list_of(values_before), list_of(values_after)));
  }
}

// What is missing from the answer that the run gives.
std::string losses_of(const RunFigures& run) {
  std::string text;
  const auto add = [&](std::uint64_t count, std::string_view one, std::string_view many) {
    if (count != 0)
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", human_count(count),
                          count == 1 ? one : many);
  };
  if (!run.complete) text = "its recording was cut off";
  const model::CaptureInfo& capture = run.capture;
  add(capture.lost_events, "resolution lost its detail", "resolutions lost their detail");
  add(capture.lost_control, "event about processes, mappings or stacks was lost",
      "events about processes, mappings or stacks were lost");
  add(capture.undecodable_events, "event could not be decoded", "events could not be decoded");
  add(capture.untracked_tasks, "new task could not be followed", "new tasks could not be followed");
  add(run.unexplained_pages, "private page is explained by no event",
      "private pages are explained by no event");
  return text;
}

// Runs that miss the same are told together.
void warn_of_losses(const Runs& before, const Runs& after, std::vector<std::string>& warnings) {
  constexpr std::size_t kNamed = 3;
  std::vector<std::pair<std::string, std::vector<std::string>>> by_losses;
  for (const Runs* side : {&before, &after}) {
    for (const RunFigures& run : *side) {
      const std::string losses = losses_of(run);
      if (losses.empty()) continue;
      auto same = std::find_if(by_losses.begin(), by_losses.end(),
                               [&](const auto& one) { return one.first == losses; });
      if (same == by_losses.end()) same = by_losses.insert(same, {losses, {}});
      same->second.push_back(run.trace);
    }
  }
  for (auto& [losses, traces] : by_losses) {
    const std::size_t more = traces.size() - std::min(traces.size(), kNamed);
    traces.resize(traces.size() - more);
    warnings.push_back(fmt::format("{}{}: {}", joined(traces, ", "),
                                   more != 0 ? fmt::format(" and {} more", more) : "", losses));
  }
}

}  // namespace

std::vector<std::string> comparability_warnings(const Runs& before, const Runs& after) {
  std::vector<std::string> warnings;
  std::map<std::pair<std::int64_t, std::uint64_t>, const RunFigures*> by_start;
  for (const Runs* side : {&before, &after}) {
    for (const RunFigures& run : *side) {
      // No two runs of a machine begin in the same nanosecond.
      const auto [first, is_new] =
          by_start.emplace(std::pair(run.capture.started_at_unix_ns, run.capture.started_ns), &run);
      if (!is_new)
        warnings.push_back(fmt::format("{} and {} are the same run",
                                       printable(first->second->trace), printable(run.trace)));
    }
  }
  warn_of_losses(before, after, warnings);
  warn_of_differences(before, after, warnings);
  return warnings;
}

}  // namespace cowtrace::analysis
