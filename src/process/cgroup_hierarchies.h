// SPDX-License-Identifier: Apache-2.0
// Where control groups can be seen, of either version.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace cowtrace::process {

struct CgroupHierarchy {
  std::string_view root, point;  // `root` is the group that is mounted at `point`
  std::string_view controllers;  // of version 1, with commas between them and other options
  bool version2 = false;

  [[nodiscard]] bool has_controller(std::string_view name) const;
};

inline constexpr std::size_t kMostMountinfo = 4'194'304;  // bytes that are read of it

// `mountinfo` is the text of /proc/self/mountinfo, into which the result points.
[[nodiscard]] std::vector<CgroupHierarchy> find_cgroup_hierarchies(std::string_view mountinfo);

// A list with commas between its words.
[[nodiscard]] bool has_word(std::string_view list, std::string_view word);
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char at);

}  // namespace cowtrace::process
