// SPDX-License-Identifier: Apache-2.0
#include "report/stack_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "report/frame_text.h"

namespace cowtrace::report {

namespace {

constexpr std::string_view kCalledBy = "<- ";

}  // namespace

std::vector<std::string> stack_lines(const analysis::NamedStack& stack, std::size_t room) {
  if (stack.empty()) return {"(no stack)"};
  std::vector<std::string> lines;
  for (std::size_t depth = 0; depth < std::min(stack.size(), kShownFrames); ++depth)
    lines.push_back(fmt::format("{}{}", depth == 0 ? "" : kCalledBy,
                                described(*stack[depth], stack_line_room(depth, room))));
  return lines;
}

std::size_t stack_line_room(std::size_t depth, std::size_t room) {
  return depth == 0 ? room : room - kCalledBy.size();
}

std::size_t callers_left_out(std::size_t frames) {
  return frames - std::min(frames, kShownFrames);
}

std::string callers_left_out_words(std::size_t least, std::size_t most) {
  if (most == 0) return {};
  return least == most ? fmt::format("<- and {} more", most)
                       : fmt::format("<- and {} to {} more", least, most);
}

}  // namespace cowtrace::report
