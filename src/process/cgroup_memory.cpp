// SPDX-License-Identifier: Apache-2.0
#include "process/cgroup_memory.h"

#include <algorithm>
#include <charconv>

#include "process/cgroup_hierarchies.h"
#include "process/file_read.h"

namespace cowtrace::process {
namespace {

constexpr std::size_t kShortFile = 65'536;
constexpr std::size_t kDeepest = 64;  // groups above one another that are looked at

// The file of `group` and of each group above it, as far as they can be seen.
void add_files(const CgroupHierarchy& in, std::string_view group, std::vector<std::string>& files) {
  if (in.root != "/") {
    // In a container the mounted group need not be the top one.
    if (!group.starts_with(in.root)) return;
    group.remove_prefix(in.root.size());
  }
  const std::string_view name = in.version2 ? "/memory.max" : "/memory.limit_in_bytes";
  for (std::size_t depth = 0; depth < kDeepest; ++depth) {
    while (group.ends_with('/')) group.remove_suffix(1);
    files.push_back(std::string(in.point).append(group).append(name));
    if (group.empty()) return;
    group = group.substr(0, group.rfind('/') == std::string_view::npos ? 0 : group.rfind('/'));
  }
}

}  // namespace

std::vector<std::string> memory_limit_files(std::string_view cgroup, std::string_view mountinfo) {
  std::vector<std::string> files;
  const auto hierarchies = find_cgroup_hierarchies(mountinfo);
  for (const std::string_view line : split(cgroup, '\n')) {
    // "NUMBER:CONTROLLERS:GROUP"; version 2 has "0::GROUP". A group's name may hold colons.
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    for (const CgroupHierarchy& hierarchy : hierarchies)
      if (hierarchy.version2
              ? controllers.empty()
              : hierarchy.has_controller("memory") && has_word(controllers, "memory"))
        add_files(hierarchy, line.substr(second + 1), files);
  }
  return files;
}

std::optional<std::uint64_t> parse_memory_limit(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  std::uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return bytes;
}

std::optional<std::uint64_t> parse_total_memory(std::string_view meminfo) {
  return parse_memory_field(meminfo, "MemTotal:");
}

std::optional<std::uint64_t> parse_memory_field(std::string_view meminfo, std::string_view field) {
  const std::size_t at = meminfo.find(field);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view rest = meminfo.substr(at + field.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  const auto kib = parse_memory_limit(rest.substr(0, rest.find(' ')));
  return kib ? std::optional(*kib * 1024) : std::nullopt;
}

std::uint64_t left_of_limit(std::uint64_t limit, std::uint64_t used, std::string_view statistics) {
  std::uint64_t idle = 0;
  // Version 1 has the sum with the groups below under another name, and its own part under this
  // one: the larger of the two.
  for (const std::string_view line : split(statistics, '\n'))
    for (const std::string_view name :
         {std::string_view("inactive_file "), std::string_view("total_inactive_file ")})
      if (line.starts_with(name))
        idle = std::max(idle, parse_memory_limit(line.substr(name.size())).value_or(0));
  const std::uint64_t busy = used - std::min(idle, used);
  return limit - std::min(busy, limit);
}

std::optional<std::uint64_t> available_memory() {
  std::optional<std::uint64_t> least;
  if (const auto text = read_whole_file("/proc/meminfo", kShortFile))
    least = parse_memory_field(*text, "MemAvailable:");
  const auto cgroup = read_whole_file("/proc/self/cgroup", kShortFile);
  const auto mountinfo = read_whole_file("/proc/self/mountinfo", kMostMountinfo);
  if (!cgroup || !mountinfo) return least;
  const auto number_in = [](const std::string& path) {
    const auto text = read_whole_file(path, kShortFile);
    return text ? parse_memory_limit(*text) : std::nullopt;
  };
  for (const std::string& file : memory_limit_files(*cgroup, *mountinfo)) {
    const std::string folder = file.substr(0, file.rfind('/') + 1);
    const auto limit = number_in(file);
    const auto used = number_in(
        folder + (file.ends_with("memory.max") ? "memory.current" : "memory.usage_in_bytes"));
    if (!limit || !used) continue;
    const auto statistics = read_whole_file(folder + "memory.stat", kShortFile);
    const std::uint64_t left =
        left_of_limit(*limit, *used, statistics ? *statistics : std::string());
    if (!least || left < *least) least = left;
  }
  return least;
}

std::optional<MemoryLimit> memory_limit(pid_t pid) {
  std::optional<MemoryLimit> tightest;
  if (const auto text = read_whole_file("/proc/meminfo", kShortFile))
    if (const auto total = parse_total_memory(*text)) tightest = {*total, "the machine"};
  const auto cgroup = read_whole_file("/proc/" + std::to_string(pid) + "/cgroup", kShortFile);
  const auto mountinfo = read_whole_file("/proc/self/mountinfo", kMostMountinfo);
  if (!cgroup || !mountinfo) return tightest;
  for (const std::string& file : memory_limit_files(*cgroup, *mountinfo)) {
    const auto text = read_whole_file(file, kShortFile);
    const auto limit = text ? parse_memory_limit(*text) : std::nullopt;
    // Without a limit version 1 has a number that is larger than any machine.
    if (limit && (!tightest || *limit < tightest->bytes)) tightest = {*limit, file};
  }
  return tightest;
}

}  // namespace cowtrace::process
