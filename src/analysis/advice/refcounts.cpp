// SPDX-License-Identifier: Apache-2.0
// Whoever looks at an item of a container counts a reference to it, in the item.
// Evidence: breaks of the reference counts of items of large containers. Bound: all of these, for memory without objects has no counts.
#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

#include "analysis/advice/advices.h"

namespace cowtrace::analysis {

std::optional<Finding> refcounts(const Evidence& evidence) {
  std::map<std::string_view, BreakCount> by_container;
  for (const ObjectSummary& object : evidence.summary.objects) {
    const std::string_view container = container_of(object.group);
    const BreakCount& count = of_cause(object.by_cause, model::Cause::Refcount);
    // What the interpreter has once for everybody is no container's.
    if (container.empty() || object.kept_by_interpreter || count.breaks == 0) continue;
    by_container[container].add(count.breaks, count.bytes);
  }
  std::vector<NamedCost> containers;
  BreakCount all;
  for (const auto& [name, count] : by_container) {
    if (!evidence.is_worth_it(count.bytes)) continue;
    containers.push_back({std::string(name), count});
    all.add(count.breaks, count.bytes);
  }
  if (containers.empty()) return std::nullopt;
  return Finding{fmt::format("Reading the items of {} counted references to them, and a reference is counted inside of the item: {} were "
                             "broken. Data that is only read needs no objects in an array.array, a numpy array, mmap or "
                             "multiprocessing.shared_memory.",
                             costliest(containers), counted(all.breaks, "shared page", "shared pages")),
                 all.bytes};
}

}  // namespace cowtrace::analysis
