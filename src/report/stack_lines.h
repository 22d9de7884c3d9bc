// SPDX-License-Identifier: Apache-2.0
// A stack as the text reports show it: the stack frame that wrote, some of its callers, and how many more there are.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "model/objects.h"

namespace cowtrace::report {

// One line a stack frame, each in at most `room` columns; never empty. Stacks with equal lines look alike to a reader.
std::vector<std::string> stack_lines(const std::vector<model::StackFrame>& stack, std::size_t room);

// How many stack frames these lines leave out.
std::size_t callers_left_out(const std::vector<model::StackFrame>& stack);

// "<- and 3 more", of rows that leave out different numbers "<- and 3 to 12 more"; empty if none leaves out any.
std::string callers_left_out_words(std::size_t least, std::size_t most);

}  // namespace cowtrace::report
