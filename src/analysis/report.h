// SPDX-License-Identifier: Apache-2.0
// All that a reporter prints: the summary, and what it was made of. Pages, events and stacks are
// made one at a time by for_each_page() (pages.h), visit_in_time() (events.h) and break_stacks()
// (break_stacks.h).
#pragma once

#include "analysis/summary.h"
#include "model/facts.h"
#include "model/session.h"

namespace cowtrace::analysis {

struct Report {
  const model::Session& session;
  const model::Facts& facts;
  Summary summary;
};

}  // namespace cowtrace::analysis
