// SPDX-License-Identifier: Apache-2.0
// From events and facts to a Report: pure, deterministic, one pass over the pages.
#pragma once

#include <cstdint>

#include "analysis/report.h"
#include "model/facts.h"
#include "model/session.h"

namespace cowtrace::analysis {

struct JoinOptions {
  std::uint64_t timeline_buckets = 500;  // a process, at most
  bool name_sites = true;  // false: only totals are wanted, and each stack is a site of its own
};

// `session` is finished, and `facts` are resolve()'s of it. The Report refers to both, which must
// outlive it.
[[nodiscard]] Report join(const model::Session& session, const model::Facts& facts,
                          const JoinOptions& options = {});

}  // namespace cowtrace::analysis
