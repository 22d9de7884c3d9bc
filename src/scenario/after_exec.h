// SPDX-License-Identifier: Apache-2.0
// How the experiment `exec` goes on in the program that it executes: this one, called as
// `scenario --after-exec WRITER PAGES MEASURE`.
#pragma once

#include <cstdint>

namespace scenario {

inline constexpr const char* kAfterExec = "--after-exec";

// Tells what it found through the pipe's end `writer`; the exit status.
int after_exec(int writer, std::uint64_t pages, bool measure);

}  // namespace scenario
