// SPDX-License-Identifier: Apache-2.0
// From events to a Summary: pure, deterministic, one pass over the pages.
#pragma once

#include <cstdint>

#include "analysis/summary.h"
#include "model/objects.h"
#include "model/session.h"

namespace cowtrace::analysis {

struct JoinOptions {
  std::uint64_t timeline_buckets = 500;  // a process, at most
  bool name_sites = true;  // false: only totals are wanted, and each stack is a site of its own
};

// `session` is finished. The Summary refers to `session` and `resolver`, which must outlive it.
Summary join(const model::Session& session, model::Resolver& resolver,
             const JoinOptions& options = {});

}  // namespace cowtrace::analysis
