// SPDX-License-Identifier: Apache-2.0
// Collections in forked processes, or in their parent while they live, write to the header of every container that they look at.
// Evidence: breaks of such headers, and breaks of anything else while the collector was at work. Bound: all of these, for a collection that
// leaves inherited objects alone writes to none of them; what broke the page first for another reason is not counted, nor
// is what the last collections of an interpreter that ends have broken: its end then breaks most of these pages anyway.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "analysis/advice/advices.h"

namespace cowtrace::analysis {

std::optional<Finding> gc_freeze(const Evidence& evidence) {
  BreakCount collector;
  std::vector<model::ProcessKey> processes;
  for (const SiteSummary& site : evidence.summary.sites) {
    if (site.collector.breaks == 0) continue;
    collector.add(site.collector.breaks, site.collector.bytes);
    processes.insert(processes.end(), site.processes.begin(), site.processes.end());
  }
  // Without headers among them another thread was at work while the collector was.
  const BreakCount headers = evidence.at_work(model::Cause::GcHeader);
  if (!evidence.is_worth_it(headers.bytes)) return std::nullopt;
  std::sort(processes.begin(), processes.end());
  processes.erase(std::unique(processes.begin(), processes.end()), processes.end());
  return Finding{fmt::format("The garbage collector broke {} in {}. Call gc.disable() early in the parent, gc.freeze() right before it "
                             "forks, and gc.enable() in its children: their collections then leave alone what they have inherited.",
                             counted(collector.breaks, "shared page", "shared pages"), counted(processes.size(), "process", "processes")),
                 collector.bytes};
}

}  // namespace cowtrace::analysis
