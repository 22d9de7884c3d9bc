// SPDX-License-Identifier: Apache-2.0
// Breaks summed up by process and stack, and by what else is asked for: what profiles are made of.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analysis/events.h"

namespace cowtrace::analysis {

struct BreakStack {
  enum class Known : std::uint8_t {
    Stack,    // `site` says which
    NoStack,  // neither stack nor instruction pointer, or --detail counts
    Lost,     // counted by the kernel, but its event did not arrive
  };
  Known known = Known::Stack;
  std::uint32_t site = 0;  // index of Summary::sites
  model::ProcessKey process;
  // Unknown, Copy and none unless they were asked for.
  model::Cause cause = model::Cause::Unknown;
  model::Mechanism mechanism = model::Mechanism::Copy;
  std::optional<ObjectId> object;
  BreakCount count;
};

// By process, then in order of the members above. The counts sum up to the totals of the report
// unless there is a filter: what was lost matches none.
std::vector<BreakStack> break_stacks(const Report& report, const EventFilter& filter,
                                     bool with_details);

}  // namespace cowtrace::analysis
