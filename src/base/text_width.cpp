// SPDX-License-Identifier: Apache-2.0
#include "base/text_width.h"

#include <fmt/format.h>

#include <algorithm>

namespace cowtrace {
namespace {

constexpr std::string_view kCut = "...";

bool starts_code_point(char byte) {
  return (static_cast<unsigned char>(byte) & 0xc0) != 0x80;
}

// The byte at which code point number `index` starts.
std::size_t offset_of(std::string_view text, std::size_t index) {
  std::size_t at = 0;
  for (; at < text.size(); ++at)
    if (starts_code_point(text[at]) && index-- == 0) break;
  return at;
}

}  // namespace

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts_code_point));
}

std::string fitted(std::string_view text, std::size_t width, Cut cut) {
  const std::size_t whole = columns(text);
  if (whole <= width) return std::string(text);
  if (width <= kCut.size()) return std::string(kCut.substr(0, width));
  const std::size_t kept = width - kCut.size();
  // Of a name the start says more, as a rule.
  const std::size_t end = cut == Cut::Start ? kept : cut == Cut::End ? 0 : kept / 3;
  return fmt::format("{}{}{}", text.substr(0, offset_of(text, kept - end)), kCut,
                     text.substr(offset_of(text, whole - end)));
}

}  // namespace cowtrace
