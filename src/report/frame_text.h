// SPDX-License-Identifier: Apache-2.0
// A stack frame on one line.
#pragma once

#include <cstddef>
#include <string>

#include "model/objects.h"

namespace cowtrace::report {

// "write_config (app.py:15)", or of a native one "memset  string/memset.S:151", in at most `room`
// columns and printable: of a function the middle is left out and of a file the start; the name of
// a module stays.
std::string described(const model::StackFrame& frame, std::size_t room);

}  // namespace cowtrace::report
