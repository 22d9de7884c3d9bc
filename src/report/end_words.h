// SPDX-License-Identifier: Apache-2.0
// How a process ended, in words.
#pragma once

#include <string>

#include "analysis/summary.h"

namespace cowtrace::report {

// "with status 0", "by SIGKILL", "by signal 40"; "it is not known how" also while it runs.
std::string end_words(const analysis::ProcessSummary& process);

// Has it executed a program other than the one that it began with?
bool ran_another_program(const analysis::ProcessSummary& process);

}  // namespace cowtrace::report
