// SPDX-License-Identifier: Apache-2.0
// Caches, counters and loggers that live in the parent and are changed in every worker.
// Evidence: named objects whose contents most forked processes changed. Bound: the breaks of these
// contents.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>
#include <vector>

#include "analysis/advice/advices.h"

namespace cowtrace::analysis {

namespace {

// What Python itself changes in every process, whatever the program does.
bool is_of_python_itself(std::string_view name) {
  constexpr std::array<std::string_view, 10> kModules = {
      "sys",    "builtins", "os",      "threading", "multiprocessing",
      "random", "signal",   "weakref", "importlib", "_frozen_importlib"};
  return std::any_of(kModules.begin(), kModules.end(), [&](std::string_view module) {
    return name.starts_with(module) && (name.size() == module.size() ||
                                        name[module.size()] == '.' || name[module.size()] == '[');
  });
}

// Links of functools.lru_cache are known by their type alone: no reference that has a name leads to
// them.
std::string_view name_of(const ObjectSummary& object) {
  if (object.type == "functools._lru_list_elem") return "functools.lru_cache";
  const std::string_view container = container_of(object.group);
  return container.empty() ? std::string_view(object.name) : container;
}

// Code is changed when it runs for the first time: no data of anybody's.
bool is_data(const ObjectSummary& object) {
  constexpr std::array<std::string_view, 7> kNone = {"code",  "function",  "module",   "type",
                                                     "frame", "generator", "coroutine"};
  return object.kind == model::ObjectKind::Python &&
         std::find(kNone.begin(), kNone.end(), object.type) == kNone.end();
}

struct Changed {
  BreakCount cost;
  std::vector<model::ProcessKey> processes;
};

}  // namespace

std::optional<Finding> per_request_writes(const Evidence& evidence) {
  std::unordered_map<std::string_view, Changed> changed;
  for (const ObjectSummary& object : evidence.summary.objects) {
    if (object.changers.empty() || !is_data(object)) continue;
    const std::string_view name = name_of(object);
    if (name.starts_with('<') || is_of_python_itself(name)) continue;
    Changed& one = changed[name];
    for (const auto cause : {model::Cause::Container, model::Cause::Value})
      one.cost.add(object.at_work(cause).breaks, object.at_work(cause).bytes);
    one.processes.insert(one.processes.end(), object.changers.begin(), object.changers.end());
  }
  std::size_t workers = 0;
  for (const ProcessSummary& process : evidence.summary.processes)
    workers += process.forked_from && process.breaks != 0 ? 1 : 0;
  std::vector<NamedCost> named;
  BreakCount all;
  for (auto& [name, one] : changed) {
    std::sort(one.processes.begin(), one.processes.end());
    one.processes.erase(std::unique(one.processes.begin(), one.processes.end()),
                        one.processes.end());
    const std::size_t changers = evidence.forked(one.processes);
    if (changers < 2 || changers * 2 < workers) continue;
    named.push_back({std::string(name), one.cost});
    all.add(one.cost.breaks, one.cost.bytes);
  }
  if (!evidence.is_worth_it(all.bytes)) return std::nullopt;
  return Finding{fmt::format("At least half of {} changed what they had inherited: {}, on {}. Let "
                             "each worker make for itself what it goes "
                             "on changing, and take caches that a hit does not write to.",
                             counted(workers, "worker", "workers"), costliest(named),
                             counted(all.breaks, "page", "pages")),
                 all.bytes};
}

}  // namespace cowtrace::analysis
