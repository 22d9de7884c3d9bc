// SPDX-License-Identifier: Apache-2.0
// Collections in forked processes, or in their parent while they live, write to the header of every
// container that they look at. Evidence: breaks of such headers, and breaks of anything else while
// the collector was at work. Bound: all of these, for a collection that leaves inherited objects
// alone writes to none of them; what broke the page first for another reason is not counted, nor is
// what the last collections of an interpreter that ends have broken: its end then breaks most of
// these pages anyway.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "analysis/advice/advices.h"
#include "base/units.h"

namespace cowtrace::analysis {

namespace {

constexpr std::size_t kManyForks = 10;  // of one parent: more than a pool has workers, as a rule

}  // namespace

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
  std::string text = fmt::format("The garbage collector broke {} in {}. ",
                                 counted(collector.breaks, "shared page", "shared pages"),
                                 counted(processes.size(), "process", "processes"));
  text += evidence.has_fork_server()
              ? "The workers come from multiprocessing's fork server: call gc.disable() at the "
                "beginning of the module that set_forkserver_preload() names, gc.freeze() at its "
                "end, and gc.enable() in the workers"
              : "Call gc.disable() early in the parent, gc.freeze() right before it forks, and "
                "gc.enable() in its children";
  text += ": their collections then leave alone what they have inherited.";
  if (const std::size_t forks = evidence.most_forks(); forks >= kManyForks)
    text += fmt::format(
        " It forks {} times: freeze once, before the first fork, for each gc.freeze() keeps the "
        "garbage of that moment for good.",
        human_count(forks));
  return Finding{std::move(text), collector.bytes};
}

}  // namespace cowtrace::analysis
