// SPDX-License-Identifier: Apache-2.0
#include "report/stack_lines.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/frame_text.h"

namespace cowtrace::report {

namespace {

constexpr std::size_t kFrames = 4;  // that are shown

}  // namespace

std::vector<std::string> stack_lines(const std::vector<model::StackFrame>& stack, std::size_t room) {
  if (stack.empty()) return {"(no stack)"};
  std::vector<std::string> lines = {described(stack[0], room)};
  for (std::size_t depth = 1; depth < std::min(stack.size(), kFrames); ++depth) lines.push_back("<- " + described(stack[depth], room - 3));
  return lines;
}

std::size_t callers_left_out(const std::vector<model::StackFrame>& stack) { return stack.size() - std::min(stack.size(), kFrames); }

std::string callers_left_out_words(std::size_t least, std::size_t most) {
  if (most == 0) return {};
  return least == most ? fmt::format("<- and {} more", most) : fmt::format("<- and {} to {} more", least, most);
}

}  // namespace cowtrace::report
