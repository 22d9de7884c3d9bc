// SPDX-License-Identifier: Apache-2.0
// The same import in several workers, and functions that several run for the first time.
// Evidence: breaks in forked processes with the import system on their stack, in at least two of
// them from the same place. And, from CPython 3.11 on, breaks of code objects that it specialises
// for what they meet, in at least two forked processes. Bound: all of these. The memory that each
// import takes anew is saved too, and not counted: it was never shared.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "analysis/advice/advices.h"

namespace cowtrace::analysis {

namespace {

bool is_import(const model::StackFrame* frame) {
  return frame->file.starts_with("<frozen importlib.");
}

std::string_view file_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

// Where the import that was under way began; empty if the stack does not go so far. None if there
// was no import.
std::optional<std::string> importer(const NamedStack& innermost_first, bool truncated) {
  const auto outermost = std::find_if(innermost_first.rbegin(), innermost_first.rend(), is_import);
  if (outermost == innermost_first.rend()) return std::nullopt;
  // base() is the stack frame that called it.
  if (truncated || outermost.base() == innermost_first.end()) return "";
  return fmt::format("{}:{}", file_name((*outermost.base())->file), (*outermost.base())->line);
}

struct Imported {
  BreakCount cost;
  std::vector<model::ProcessKey> processes;
};

struct Imports {
  BreakCount cost;
  std::vector<NamedCost> importers;
  std::vector<model::ProcessKey> processes;
};

void sort_out(std::vector<model::ProcessKey>& processes) {
  std::sort(processes.begin(), processes.end());
  processes.erase(std::unique(processes.begin(), processes.end()), processes.end());
}

Imports imports_of(const Evidence& evidence) {
  std::map<std::string, Imported> by_importer;
  for (const SiteSummary& site : evidence.summary.sites) {
    if (evidence.forked(site.processes) == 0) continue;
    const auto by = importer(site.frames, site.truncated);
    if (!by) continue;
    Imported& imported = by_importer[*by];
    imported.cost.add(site.breaks - site.ending.breaks, site.copied_bytes - site.ending.bytes);
    imported.processes.insert(imported.processes.end(), site.processes.begin(),
                              site.processes.end());
  }
  Imports all;
  for (auto& [name, imported] : by_importer) {
    sort_out(imported.processes);
    if (evidence.forked(imported.processes) < 2) continue;
    if (!name.empty()) all.importers.push_back({name, imported.cost});
    all.cost.add(imported.cost.breaks, imported.cost.bytes);
    all.processes.insert(all.processes.end(), imported.processes.begin(), imported.processes.end());
  }
  sort_out(all.processes);
  return all;
}

// Code that was rewritten when it ran (PEP 659).
BreakCount specialised(const Evidence& evidence) {
  constexpr int kSpecialises = 11;
  BreakCount all;
  for (const ObjectSummary& object : evidence.summary.objects) {
    if (object.kind != model::ObjectKind::Python || object.type != "code" ||
        evidence.forked(object.changers) < 2)
      continue;
    if (!is_since(evidence.summary.processes[object.changers.front().value].python, kSpecialises))
      continue;
    const BreakCount count = object.at_work(model::Cause::Value);
    all.add(count.breaks, count.bytes);
  }
  return all;
}

}  // namespace

std::optional<Finding> preload(const Evidence& evidence) {
  Imports imports = imports_of(evidence);
  const BreakCount code = specialised(evidence);
  if (!evidence.is_worth_it(imports.cost.bytes + code.bytes)) return std::nullopt;
  std::string text;
  if (imports.cost.breaks != 0)
    text += fmt::format(
        "{} imported modules after the fork, each for itself{}, and broke {} meanwhile. ",
        counted(evidence.forked(imports.processes), "process", "processes"),
        imports.importers.empty() ? "" : fmt::format(" ({})", costliest(imports.importers)),
        counted(imports.cost.breaks, "shared page", "shared pages"));
  if (code.breaks != 0)
    text += fmt::format(
        "Functions ran there for the first time, and CPython rewrote their code on {}. ",
        counted(code.breaks, "shared page", "shared pages"));
  text += evidence.has_fork_server()
              ? "The workers come from multiprocessing's fork server: name the modules that they "
                "need in set_forkserver_preload(), and run what they will run once at the end of "
                "one of these"
              : "Import in the parent what workers need, and run there once what they will run, "
                "before it forks";
  return Finding{text + ": its memory is then shared as well.", imports.cost.bytes + code.bytes};
}

}  // namespace cowtrace::analysis
