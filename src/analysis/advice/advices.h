// SPDX-License-Identifier: Apache-2.0
// Every advice that there is: one function each, in a file of its name. None where there is no
// evidence.
#pragma once

#include <optional>

#include "analysis/advice/evidence.h"

namespace cowtrace::analysis {

std::optional<Finding> allocator_churn(const Evidence& evidence);
std::optional<Finding> end_at_once(const Evidence& evidence);
std::optional<Finding> gc_freeze(const Evidence& evidence);
std::optional<Finding> immortal_objects(const Evidence& evidence);
std::optional<Finding> per_request_writes(const Evidence& evidence);
std::optional<Finding> preload(const Evidence& evidence);
std::optional<Finding> refcounts(const Evidence& evidence);
std::optional<Finding> thp(const Evidence& evidence);
std::optional<Finding> workers_fit(const Evidence& evidence);

}  // namespace cowtrace::analysis
