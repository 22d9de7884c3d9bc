// SPDX-License-Identifier: Apache-2.0
// One stack of two: what the interpreter called, and the Python functions that it ran.
#pragma once

#include "model/stack_names.h"

namespace cowtrace::analysis {

using model::NamedStack;

// Both innermost first. The interpreter's own stack frames (StackFrame::interpreter) give way to
// the Python ones, and so does all that called it:
//
//   native  memcpy <- 0x57d033 (python3) <- 0x58e1c7 (python3) <- __libc_start_main <- _start
//   python  write_config (app.py:15) <- main (app.py:40)
//   mixed   memcpy <- write_config (app.py:15) <- main (app.py:40)
//
// Where the interpreter itself is innermost, and its function has a name that says more than that
// it evaluates Python, this one stack frame stays (dict_resize <- write_config <- main). A walk
// that ended before it came to the interpreter stays whole. Without Python stack frames the native
// ones are the stack.
[[nodiscard]] NamedStack mix(NamedStack native, const NamedStack& python);

}  // namespace cowtrace::analysis
