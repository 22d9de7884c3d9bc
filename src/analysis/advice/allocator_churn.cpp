// SPDX-License-Identifier: Apache-2.0
// New objects go to the free blocks that the parent has left between its own.
// Evidence: breaks of free blocks and of what the allocator itself keeps on inherited pages; a
// quarter of all breaks or more, and more than any interpreter has. Bound: all of these.
#include <fmt/format.h>

#include "analysis/advice/advices.h"

namespace cowtrace::analysis {

std::optional<Finding> allocator_churn(const Evidence& evidence) {
  // Any interpreter has a few free blocks of each size, and whoever does much also fills these.
  constexpr std::uint64_t kUsual = 64 * 4096;  // bytes a process
  constexpr std::uint64_t kShare = 4;
  const BreakCount count = evidence.at_work(model::Cause::Allocator);
  std::uint64_t forked = 0;
  for (const ProcessSummary& process : evidence.summary.processes)
    forked += process.forked_from.has_value() ? 1 : 0;
  if (!evidence.is_worth_it(count.bytes) || count.bytes < kUsual * forked) return std::nullopt;
  if (count.bytes < evidence.summary.totals.copied_bytes / kShare) return std::nullopt;
  return Finding{fmt::format("New objects went to the free places on {}, between those of the "
                             "parent. Leave few holes there: gc.disable() "
                             "early in the parent, no gc.collect() before it forks, and large "
                             "temporary data in a process of its own.",
                             counted(count.breaks, "inherited page", "inherited pages")),
                 count.bytes};
}

}  // namespace cowtrace::analysis
