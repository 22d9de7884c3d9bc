// SPDX-License-Identifier: Apache-2.0
// The same import in several workers.
// Evidence: breaks in forked processes with the import system on their stack, in at least two of them from the same place. Bound:
// all of these. The memory that each import takes anew is saved too, and not counted: it was never shared.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "analysis/advice/advices.h"
#include "analysis/sites.h"

namespace cowtrace::analysis {

namespace {

bool is_import(const model::StackFrame& frame) { return frame.file.starts_with("<frozen importlib."); }

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Where the import that was under way began; empty if the stack does not go so far. None if there was no import.
std::optional<std::string> importer(const std::vector<model::StackFrame>& innermost_first, bool truncated) {
  const auto outermost = std::find_if(innermost_first.rbegin(), innermost_first.rend(), is_import);
  if (outermost == innermost_first.rend()) return std::nullopt;
  // base() is the stack frame that called it.
  if (truncated || outermost.base() == innermost_first.end()) return "";
  return fmt::format("{}:{}", file_name(outermost.base()->file), outermost.base()->line);
}

struct Imported {
  BreakCount cost;
  std::vector<model::ProcessKey> processes;
};

}  // namespace

std::optional<Finding> preload(const Evidence& evidence) {
  SiteFrames frames(evidence.session, evidence.resolver);
  std::map<std::string, Imported> by_importer;
  for (const SiteSummary& site : evidence.summary.sites) {
    if (evidence.forked(site.processes) == 0) continue;
    const auto by = importer(frames.python_of(site), frames.truncated(site));
    if (!by) continue;
    Imported& imported = by_importer[*by];
    imported.cost.add(site.breaks, site.copied_bytes);
    imported.processes.insert(imported.processes.end(), site.processes.begin(), site.processes.end());
  }
  std::vector<NamedCost> named;
  std::vector<model::ProcessKey> processes;
  BreakCount all;
  for (auto& [name, imported] : by_importer) {
    std::sort(imported.processes.begin(), imported.processes.end());
    imported.processes.erase(std::unique(imported.processes.begin(), imported.processes.end()), imported.processes.end());
    if (evidence.forked(imported.processes) < 2) continue;
    if (!name.empty()) named.push_back({name, imported.cost});
    all.add(imported.cost.breaks, imported.cost.bytes);
    processes.insert(processes.end(), imported.processes.begin(), imported.processes.end());
  }
  if (!evidence.is_worth_it(all.bytes)) return std::nullopt;
  std::sort(processes.begin(), processes.end());
  processes.erase(std::unique(processes.begin(), processes.end()), processes.end());
  return Finding{fmt::format("{} imported modules after the fork, each for itself{}, and broke {} meanwhile. Import them in the parent "
                             "before it forks: the memory that the modules take is then shared as well.",
                             counted(evidence.forked(processes), "process", "processes"),
                             named.empty() ? "" : fmt::format(" ({})", costliest(named)),
                             counted(all.breaks, "shared page", "shared pages")),
                 all.bytes};
}

}  // namespace cowtrace::analysis
