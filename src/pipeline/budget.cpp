// SPDX-License-Identifier: Apache-2.0
#include "pipeline/budget.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"

namespace cowtrace::pipeline {
namespace {

void check(Verdict& verdict, const std::string& who, std::uint64_t copied, std::uint64_t ending,
           std::uint64_t limit, const char* option) {
  const bool more = copied > limit;
  // Rounded they may look the same.
  const std::string by = more && human_bytes(copied) == human_bytes(limit)
                             ? fmt::format(" by {} bytes", copied - limit)
                             : "";
  verdict.exceeded |= more;
  if (!verdict.line.empty()) verdict.line += "; ";
  const std::string part =
      ending != 0 ? fmt::format(" ({} while ending)", human_bytes(ending)) : "";
  verdict.line += fmt::format("{} copied {}{}, {} {} {}{}", who, human_bytes(copied), part,
                              more ? "more than" : "within", option, human_bytes(limit), by);
}

}  // namespace

Verdict judge(const Budget& budget, const analysis::Summary& summary) {
  Verdict verdict;
  if (budget.family)
    check(verdict, "the family", summary.totals.copied_bytes, summary.totals.ending_bytes(),
          *budget.family, "--max-copied");
  if (budget.process && !summary.processes.empty()) {
    const auto most = std::max_element(
        summary.processes.begin(), summary.processes.end(),
        [](const auto& a, const auto& b) { return a.copied_bytes < b.copied_bytes; });
    check(verdict, fmt::format("process {} ({})", most->pid, printable(most->command)),
          most->copied_bytes, most->ending.bytes, *budget.process, "--max-copied-per-process");
  }
  verdict.line = fmt::format("budget {}: {}", verdict.exceeded ? "EXCEEDED" : "kept", verdict.line);
  return verdict;
}

}  // namespace cowtrace::pipeline
