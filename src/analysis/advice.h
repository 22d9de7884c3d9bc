// SPDX-License-Identifier: Apache-2.0
// What could be done about the breaks of a trace. Each advice is a row of the table in advice.cpp
// and a file of advice/; it looks for its evidence in what the join found, and says nothing where
// there is none.
#pragma once

#include <string_view>
#include <vector>

#include "analysis/summary.h"
#include "model/session.h"

namespace cowtrace::analysis {

// All that there is evidence for, by what it saves, most first. `summary` is complete but for its
// advice.
//
// A saving is an upper bound: what the breaks cost that the advice prevents. A page is private from
// its first break on, so what was written to it later is not known, and may break it in the place
// of what was prevented. Where events were lost, any of them may have been one of these: their
// bytes are added.
[[nodiscard]] std::vector<Advice> advise(const Summary& summary, const model::Session& session);

// The ids of all advices that there are.
[[nodiscard]] std::vector<std::string_view> advice_ids();

}  // namespace cowtrace::analysis
