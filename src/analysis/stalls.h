// SPDX-License-Identifier: Apache-2.0
// How long processes waited for the kernel because memory is shared: the forks that share it, and
// the breaks that end that.
#pragma once

#include <vector>

#include "analysis/summary.h"

namespace cowtrace::analysis {

// By the time of both, longest first; who waited for nothing is left out. Breaks that another
// process made are not the owner's wait, and those whose time is only an upper bound (late) do not
// count.
std::vector<StallSummary> stall_summaries(const model::Session& session);

}  // namespace cowtrace::analysis
