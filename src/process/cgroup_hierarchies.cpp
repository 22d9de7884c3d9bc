// SPDX-License-Identifier: Apache-2.0
#include "process/cgroup_hierarchies.h"

#include <algorithm>
#include <cstddef>

namespace cowtrace::process {

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = std::min(text.find(at), text.size());
    parts.push_back(text.substr(0, end));
    if (end == text.size()) return parts;
    text.remove_prefix(end + 1);
  }
}

bool has_word(std::string_view list, std::string_view word) {
  const auto words = split(list, ',');
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool CgroupHierarchy::has_controller(std::string_view name) const {
  return has_word(controllers, name);
}

// "ID PARENT MAJOR:MINOR ROOT POINT OPTIONS FIELDS... - TYPE SOURCE SUPEROPTIONS" (proc(5)).
std::vector<CgroupHierarchy> find_cgroup_hierarchies(std::string_view mountinfo) {
  constexpr std::size_t kRoot = 3, kPoint = 4;
  std::vector<CgroupHierarchy> found;
  for (const std::string_view line : split(mountinfo, '\n')) {
    const auto words = split(line, ' ');
    const auto dash = std::find(words.begin(), words.end(), "-");
    if (words.end() - dash < 4 || dash - words.begin() <= static_cast<std::ptrdiff_t>(kPoint))
      continue;
    if (dash[1] == "cgroup2")
      found.push_back({words[kRoot], words[kPoint], {}, true});
    else if (dash[1] == "cgroup")
      found.push_back({words[kRoot], words[kPoint], dash[3], false});
  }
  return found;
}

}  // namespace cowtrace::process
