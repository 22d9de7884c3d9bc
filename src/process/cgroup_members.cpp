// SPDX-License-Identifier: Apache-2.0
#include "process/cgroup_members.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <system_error>

#include "base/units.h"
#include "process/cgroup_hierarchies.h"
#include "process/file_read.h"

namespace cowtrace::process {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLargestList = std::size_t{64} << 20;  // bytes of one cgroup.procs

bool is_group(const fs::path& folder) {
  std::error_code error;
  return fs::is_regular_file(folder / "cgroup.procs", error);
}

void add_numbers(std::string_view text, std::vector<pid_t>& to) {
  while (!text.empty()) {
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
    // 0: of a pid namespace that we do not see into.
    if (error == std::errc() && pid > 0) to.push_back(pid);
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  }
}

Status add_members(const fs::path& folder, std::vector<pid_t>& to) {
  const auto text = read_whole_file((folder / "cgroup.procs").string(), kLargestList);
  if (text) {
    add_numbers(*text, to);
  } else if (std::error_code error; fs::exists(folder, error)) {
    // In a threaded group of version 2 the members are those of a group above it.
    return fail("cannot read " + printable((folder / "cgroup.procs").string()),
                text.error().message(), "name the group above it");
  }
  return {};
}

}  // namespace

Result<std::vector<fs::path>> find_cgroup(const std::string& name) {
  const fs::path given(name);
  if (given.is_absolute() && is_group(given)) return std::vector<fs::path>{given};
  std::vector<fs::path> found;
  if (const auto mounts = read_whole_file("/proc/self/mountinfo", kMostMountinfo))
    for (const CgroupHierarchy& hierarchy : find_cgroup_hierarchies(*mounts))
      if (fs::path folder = fs::path(hierarchy.point) / given.relative_path(); is_group(folder))
        found.push_back(std::move(folder));
  if (found.empty())
    return fail("no control group " + printable(name), "",
                "see /proc/PID/cgroup of one of its processes, or systemd-cgls");
  return found;
}

Result<std::vector<pid_t>> cgroup_members(const std::vector<fs::path>& folders) {
  std::vector<pid_t> members;
  for (const fs::path& top : folders) {
    if (auto added = add_members(top, members); !added) return tl::unexpected(added.error());
    std::error_code error;
    for (fs::recursive_directory_iterator
             at(top, fs::directory_options::skip_permission_denied, error),
         end;
         !error && at != end; at.increment(error))
      // One that is threaded has its members in a group above it, which was read.
      if (at->is_directory(error) && !at->is_symlink(error))
        static_cast<void>(add_members(at->path(), members));
  }
  std::sort(members.begin(), members.end());
  members.erase(std::unique(members.begin(), members.end()), members.end());
  return members;
}

}  // namespace cowtrace::process
