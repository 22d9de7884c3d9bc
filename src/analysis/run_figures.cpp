// SPDX-License-Identifier: Apache-2.0
#include "analysis/run_figures.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "analysis/sites.h"

namespace cowtrace::analysis {

namespace {

auto frame_key(const model::StackFrame& frame) {
  return std::tie(frame.function, frame.file, frame.line, frame.module, frame.python);
}

bool is_before(const model::StackFrame& a, const model::StackFrame& b) {
  return frame_key(a) < frame_key(b);
}

// Without what is another in the next run: the address of a function that has no name.
model::StackFrame named_alike(model::StackFrame frame) {
  if (!frame.why_unnamed.empty()) frame.function = "(no name)";
  return frame;
}

void add_mechanisms(const Totals& totals, Rows& rows) {
  for (const model::MechanismInfo& mechanism : model::kMechanismTable) {
    const MechanismSummary& sum =
        totals.by_mechanism[static_cast<std::size_t>(mechanism.mechanism)];
    if (sum.count != 0)
      rows[{std::string(mechanism.name), {}, {}, 0, {}}].add({sum.count, sum.bytes, 0});
  }
}

void add_causes(const Totals& totals, Rows& rows) {
  for (std::size_t cause = 0; cause < totals.by_cause.size(); ++cause) {
    const BreakCount& sum = totals.by_cause[cause];
    if (sum.breaks != 0)
      rows[{std::string(model::kCauseNames[cause]), {}, {}, 0, {}}].add({sum.breaks, sum.bytes, 0});
  }
}

void add_phases(const Totals& totals, Rows& rows) {
  if (!totals.by_phase) return;
  for (std::size_t phase = 0; phase < totals.by_phase->size(); ++phase) {
    const BreakCount& sum = (*totals.by_phase)[phase];
    if (sum.breaks != 0)
      rows[{std::string(model::kPhaseNames[phase]), {}, {}, 0, {}}].add({sum.breaks, sum.bytes, 0});
  }
}

// The items of a large container are one row, as in the text report.
void add_objects(const std::vector<ObjectSummary>& objects, RunFigures& figures) {
  for (const ObjectSummary& object : objects) {
    if (object.breaks == 0) continue;
    const std::string& name = object.group.empty() ? object.name : object.group;
    const std::string kind(model::name(object.kind));
    const Figures sum{object.breaks, object.copied_bytes, 1};
    figures.of(Section::Objects)[{name, object.type, kind, 0, {}}].add(sum);
    figures.of(Section::Types)[{object.type, {}, kind, 0, {}}].add(sum);
  }
}

void add_sites(const Summary& summary, Rows& rows) {
  for (const SiteSummary& site : summary.sites) {
    RowName name;
    for (const model::StackFrame* frame : site.frames) name.stack.push_back(named_alike(*frame));
    rows[std::move(name)].add({site.breaks, site.copied_bytes, 0});
  }
}

// How many ancestors each process has in the family.
std::vector<std::uint32_t> generations(const std::vector<ProcessSummary>& processes) {
  std::vector<std::optional<std::uint32_t>> known(processes.size());
  std::vector<std::uint32_t> result;
  for (std::size_t first = 0; first < processes.size(); ++first) {
    std::vector<std::size_t> line;
    std::size_t at = first;
    std::uint32_t generation = 0;
    while (true) {
      if (known[at]) {
        generation = *known[at] + 1;
        break;
      }
      line.push_back(at);
      const auto& parent = processes[at].parent;
      // Nobody descends from himself, but what a file says may.
      if (!parent || parent->value >= processes.size() || line.size() > processes.size()) break;
      at = parent->value;
    }
    for (; !line.empty(); line.pop_back()) known[line.back()] = generation++;
    result.push_back(*known[first]);
  }
  return result;
}

void add_processes(const std::vector<ProcessSummary>& processes, RunFigures& figures) {
  const std::vector<std::uint32_t> generation = generations(processes);
  for (std::size_t i = 0; i < processes.size(); ++i) {
    const ProcessSummary& process = processes[i];
    figures.of(Section::Roles)[{process.command, {}, {}, generation[i], {}}].add(
        {process.breaks, process.copied_bytes, 1});
    if (!process.python.empty()) figures.pythons.insert(process.python);
    if (process.audit) figures.unexplained_pages += process.audit->unexplained();
  }
  figures.processes = processes.size();
}

}  // namespace

bool RowNameOrder::operator()(const RowName& a, const RowName& b) const {
  const auto words = [](const RowName& name) {
    return std::tie(name.name, name.type, name.kind, name.generation);
  };
  if (words(a) != words(b)) return words(a) < words(b);
  return std::lexicographical_compare(a.stack.begin(), a.stack.end(), b.stack.begin(),
                                      b.stack.end(), is_before);
}

RunFigures figures_of(const Summary& summary) {
  RunFigures figures;
  figures.capture = summary.capture;
  figures.breaks = summary.totals.breaks;
  figures.copied_bytes = summary.totals.copied_bytes;
  figures.inherited_bytes = summary.totals.inherited_bytes;
  figures.still_shared_bytes = summary.totals.still_shared_bytes;
  add_mechanisms(summary.totals, figures.of(Section::Mechanisms));
  add_causes(summary.totals, figures.of(Section::Causes));
  add_phases(summary.totals, figures.of(Section::Phases));
  add_objects(summary.objects, figures);
  add_sites(summary, figures.of(Section::Sites));
  for (const MappingSummary& mapping : summary.mappings)
    figures.of(Section::Mappings)[{mapping.label, {}, {}, 0, {}}].add(
        {mapping.breaks, mapping.copied_bytes, 0});
  add_processes(summary.processes, figures);
  for (const Advice& advice : summary.advice)
    figures.advice[advice.id] = advice.saves_at_most_bytes;
  return figures;
}

}  // namespace cowtrace::analysis
