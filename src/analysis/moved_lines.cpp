// SPDX-License-Identifier: Apache-2.0
// Sites whose lines or files have moved from one side of a comparison to the other.
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "analysis/compare.h"

namespace cowtrace::analysis {

namespace {

using Names = std::set<RowName, RowNameOrder>;

Names sites_of(const std::vector<RunFigures>& runs) {
  Names names;
  for (const RunFigures& run : runs)
    for (const auto& [name, figures] : run.of(Section::Sites)) names.insert(name);
  return names;
}

RowName without_lines(RowName name) {
  for (model::StackFrame& frame : name.stack) frame.line = 0;
  return name;
}

RowName without_files(RowName name) {
  for (model::StackFrame& frame : name.stack) {
    frame.line = 0;
    frame.file.clear();
  }
  return name;
}

// Sites that are alike but for that, each on one side only.
struct Alike {
  std::vector<const RowName*> before, after;

  // Their name, with the lines and files that all of them have.
  [[nodiscard]] RowName name() const {
    RowName common = *before.front();
    for (const auto* side : {&before, &after})
      for (const RowName* one : *side)
        for (std::size_t i = 0; i < common.stack.size(); ++i) {
          if (one->stack[i].line != common.stack[i].line) common.stack[i].line = 0;
          if (one->stack[i].file != common.stack[i].file) common.stack[i].file.clear();
        }
    return common;
  }
};

using NewNames = std::map<RowName, RowName, RowNameOrder>;

void rename(std::vector<RunFigures>& runs, const NewNames& new_names) {
  for (RunFigures& run : runs) {
    Rows renamed;
    for (const auto& [name, figures] : run.of(Section::Sites)) {
      const auto found = new_names.find(name);
      renamed[found != new_names.end() ? found->second : name].add(figures);
    }
    run.of(Section::Sites) = std::move(renamed);
  }
}

void match(std::vector<RunFigures>& before, std::vector<RunFigures>& after,
           RowName (*without)(RowName)) {
  const Names sites_before = sites_of(before);
  const Names sites_after = sites_of(after);
  std::map<RowName, Alike, RowNameOrder> alike;
  for (const RowName& name : sites_before)
    if (!sites_after.contains(name)) alike[without(name)].before.push_back(&name);
  for (const RowName& name : sites_after)
    if (!sites_before.contains(name)) alike[without(name)].after.push_back(&name);
  NewNames new_names;
  for (const auto& [key, sites] : alike) {
    if (sites.before.empty() || sites.after.empty()) continue;
    const RowName common = sites.name();
    for (const auto* side : {&sites.before, &sites.after})
      for (const RowName* one : *side) new_names.emplace(*one, common);
  }
  if (new_names.empty()) return;
  rename(before, new_names);
  rename(after, new_names);
}

}  // namespace

void match_moved_code(std::vector<RunFigures>& before, std::vector<RunFigures>& after) {
  match(before, after, &without_lines);
  match(before, after, &without_files);
}

}  // namespace cowtrace::analysis
