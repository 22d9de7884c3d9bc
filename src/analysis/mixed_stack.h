// SPDX-License-Identifier: Apache-2.0
// One stack of two: what the interpreter called, and the Python functions that it ran.
#pragma once

#include <cstddef>

#include "model/stack_names.h"

namespace cowtrace::analysis {

using model::NamedStack;

// The functions of a stack's native stack frames. `named(Instruction)` gives those of one.
// Ends where the walk has left the stack: what is further out are no return addresses.
template <typename Named>
[[nodiscard]] NamedStack native_stack(const model::Stack& stack, Named&& named) {
  NamedStack frames;
  frames.reserve(stack.frames.size());
  for (std::size_t depth = 0; depth < stack.frames.size(); ++depth) {
    const NamedStack& functions =
        named(model::StackNames::Instruction{stack.space, stack.frames[depth], depth != 0});
    if (depth != 0 && !functions.empty() && functions.front()->not_code) break;
    frames.insert(frames.end(), functions.begin(), functions.end());
  }
  return frames;
}

// The same of the stack frames that an interpreter keeps: `named(Managed)`.
template <typename Named>
[[nodiscard]] NamedStack managed_stack(const model::Stack& stack, Named&& named) {
  NamedStack frames;
  for (const model::PythonFrame& frame : stack.python) {
    const NamedStack& functions = named(model::StackNames::Managed{stack.space, frame});
    frames.insert(frames.end(), functions.begin(), functions.end());
  }
  return frames;
}

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
