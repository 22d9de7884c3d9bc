// SPDX-License-Identifier: Apache-2.0
// Whoever looks at an item of a container counts a reference to it, in the item.
// Evidence: breaks of the reference counts of items of large containers, and of objects without a
// name where one line of code broke many of them; at work, for an interpreter that ends drops its
// references without that anybody has read them. Not of containers that were changed at work: what
// has no objects and is shared cannot be. Bound: these, and of the same containers those of the
// end, for memory without objects has no counts.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "analysis/advice/advices.h"
#include "base/units.h"

namespace cowtrace::analysis {

namespace {

struct Counts {
  BreakCount at_work, all;

  void add(const Counts& more) {
    at_work.add(more.at_work.breaks, more.at_work.bytes);
    all.add(more.all.breaks, more.all.bytes);
  }
};

// `app.TABLE` of `list(app.TABLE)`, which is what the keys of a dict are called.
std::string_view without_view(std::string_view container) {
  constexpr std::string_view kView = "list(";
  if (!container.starts_with(kView) || !container.ends_with(')')) return container;
  return container.substr(kView.size(), container.size() - kView.size() - 1);
}

// Names of containers whose slots were written at work.
std::set<std::string_view> changed_containers(const std::vector<ObjectSummary>& objects) {
  std::set<std::string_view> changed;
  for (const ObjectSummary& object : objects)
    if (!object.changers.empty() && object.at_work(model::Cause::Container).breaks != 0)
      changed.insert(object.name);
  return changed;
}

std::map<std::string_view, Counts> by_container(const std::vector<ObjectSummary>& objects) {
  std::map<std::string_view, Counts> containers;
  for (const ObjectSummary& object : objects) {
    const std::string_view container = container_of(object.group);
    const BreakCount& all = of_cause(object.by_cause, model::Cause::Refcount);
    // What the interpreter has once for everybody is no container's.
    if (container.empty() || object.kept_by_interpreter || all.breaks == 0) continue;
    containers[container].add({object.at_work(model::Cause::Refcount), all});
  }
  return containers;
}

// Objects without a name, by the line of Python that counted references to them.
std::map<std::string, BreakCount> by_line(const Evidence& evidence) {
  std::map<std::string, BreakCount> lines;
  for (const SiteSummary& site : evidence.summary.sites) {
    if (site.unnamed_refcounts.breaks == 0) continue;
    const auto python = std::find_if(site.frames.begin(), site.frames.end(),
                                     [](const model::StackFrame* frame) { return frame->python; });
    if (python == site.frames.end()) continue;
    const std::string_view file = (*python)->file;
    lines[fmt::format("{}:{}", file.substr(file.rfind('/') + 1), (*python)->line)].add(
        site.unnamed_refcounts.breaks, site.unnamed_refcounts.bytes);
  }
  return lines;
}

}  // namespace

std::optional<Finding> refcounts(const Evidence& evidence) {
  const auto changed = changed_containers(evidence.summary.objects);
  std::vector<NamedCost> containers, lines;
  Counts sum;
  for (const auto& [name, counts] : by_container(evidence.summary.objects)) {
    if (!evidence.is_worth_it(counts.at_work.bytes) || changed.contains(without_view(name)))
      continue;
    containers.push_back({std::string(name), counts.at_work});
    sum.add(counts);
  }
  for (const auto& [line, count] : by_line(evidence)) {
    if (!evidence.is_worth_it(count.bytes)) continue;
    lines.push_back({line, count});
    sum.add({count, count});
  }
  if (containers.empty() && lines.empty()) return std::nullopt;
  std::string what;
  if (!containers.empty()) what = "the items of " + costliest(containers);
  if (!lines.empty())
    what += fmt::format("{}objects without a name ({})", what.empty() ? "" : ", and ",
                        costliest(lines));
  std::string text = fmt::format(
      "Reading {} counted references to them, and a reference is counted inside of the item: {} "
      "were broken. Data "
      "that is only read needs no objects in an array.array, a numpy array, mmap or "
      "multiprocessing.shared_memory.",
      what, counted(sum.at_work.breaks, "shared page", "shared pages"));
  if (const std::uint64_t ending = sum.all.breaks - sum.at_work.breaks; ending != 0)
    text += fmt::format(
        " {} more of these items {} broken while interpreters ended, which it saves as well.",
        counted(ending, "page", "pages"), ending == 1 ? "was" : "were");
  return Finding{std::move(text), sum.all.bytes};
}

}  // namespace cowtrace::analysis
