// SPDX-License-Identifier: Apache-2.0
// Before CPython 3.12 references are counted to None, small integers and static types too.
// Evidence: breaks of the reference counts of such objects, under an older interpreter. Bound: all
// of these (PEP 683).
#include <fmt/format.h>

#include <set>
#include <string>

#include "analysis/advice/advices.h"
#include "base/units.h"

namespace cowtrace::analysis {

std::optional<Finding> immortal_objects(const Evidence& evidence) {
  constexpr int kImmortal = 12;
  BreakCount all;
  std::set<std::string> versions;
  for (const ObjectSummary& object : evidence.summary.objects) {
    const BreakCount& count = of_cause(object.by_cause, model::Cause::Refcount);
    if (!object.kept_by_interpreter || count.breaks == 0) continue;
    bool older = false;
    for (const model::ProcessKey process : object.processes) {
      const std::string& version = evidence.summary.processes[process.value].python;
      if (!is_since(version, 0) || is_since(version, kImmortal)) continue;
      older = true;
      versions.insert(version);
    }
    if (older) all.add(count.breaks, count.bytes);
  }
  if (!evidence.is_worth_it(all.bytes)) return std::nullopt;
  std::string names;
  for (const std::string& version : versions)
    names += (names.empty() ? "" : ", ") + printable(version);
  return Finding{
      fmt::format(
          "References counted to None, small integers, static types and others that the "
          "interpreter has once for "
          "everybody broke {}. This is CPython {}; from 3.12 on nobody counts references to them.",
          counted(all.breaks, "shared page", "shared pages"), names),
      all.bytes};
}

}  // namespace cowtrace::analysis
