// SPDX-License-Identifier: Apache-2.0
// The sentences that every report for people begins with.
#pragma once

#include <string>
#include <vector>

#include "analysis/summary.h"

namespace cowtrace::report {

// How much, and the verdict of the audit.
std::string headline(const analysis::Summary& summary);

// No process of the report began with memory of another one: there was nothing that could have been
// broken, which is no success.
bool nothing_was_shared(const analysis::Summary& summary);

// Sentences about what this report does not know, the worst first.
std::vector<std::string> warnings(const analysis::Summary& summary);

}  // namespace cowtrace::report
