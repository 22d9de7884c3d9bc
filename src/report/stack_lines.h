// SPDX-License-Identifier: Apache-2.0
// A stack as the text reports show it: the stack frame that wrote, some of its callers, and how
// many more there are.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "analysis/mixed_stack.h"

namespace cowtrace::report {

inline constexpr std::size_t kShownFrames = 4;

// One line a stack frame, each in at most `room` columns; never empty. Stacks with equal lines look
// alike to a reader.
std::vector<std::string> stack_lines(const analysis::NamedStack& stack, std::size_t room);

// What of `room` the stack frame at this depth has, which the innermost one has at 0.
std::size_t stack_line_room(std::size_t depth, std::size_t room);

// How many of so many stack frames these lines leave out.
std::size_t callers_left_out(std::size_t frames);

// "<- and 3 more", of rows that leave out different numbers "<- and 3 to 12 more"; empty if none
// leaves out any.
std::string callers_left_out_words(std::size_t least, std::size_t most);

}  // namespace cowtrace::report
