// SPDX-License-Identifier: Apache-2.0
#include "pipeline/unused_user.h"

#include <sys/random.h>

#include <algorithm>
#include <charconv>

#include "process/file_read.h"
#include "process/proc_files.h"

namespace cowtrace::pipeline {
namespace {

constexpr std::size_t kLargestAccounts = std::size_t{64} << 20;  // bytes of one file of accounts
constexpr std::size_t kLargestStatus = 65'536;
constexpr int kTries = 1000;

// Calls visit(line) for each line.
template <typename Visit>
void for_each_line(std::string_view text, Visit&& visit) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    visit(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::string_view field(std::string_view line, int number) {
  for (; number > 0; --number) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return {};
    line.remove_prefix(colon + 1);
  }
  return line.substr(0, line.find(':'));
}

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number)
                                                                  : std::nullopt;
}

// A number that no process can foresee, so that none can take the id first.
std::uint32_t random_number() {
  std::uint32_t number = 0;
  static_cast<void>(getrandom(&number, sizeof(number), 0));
  return number;
}

}  // namespace

void add_ids(std::string_view accounts, std::vector<IdRange>& to) {
  for_each_line(accounts, [&](std::string_view line) {
    if (const auto id = number_of(field(line, 2))) to.push_back({*id, 1});
  });
}

void add_ranges(std::string_view delegated, std::vector<IdRange>& to) {
  for_each_line(delegated, [&](std::string_view line) {
    const auto first = number_of(field(line, 1));
    const auto count = number_of(field(line, 2));
    if (first && count) to.push_back({*first, *count});
  });
}

void add_process_ids(std::string_view status, std::vector<IdRange>& to) {
  for_each_line(status, [&](std::string_view line) {
    if (!line.starts_with("Uid:") && !line.starts_with("Gid:")) return;
    line.remove_prefix(4);
    while (!line.empty()) {
      line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
      const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
      if (const auto id = number_of(line.substr(0, end))) to.push_back({*id, 1});
      line.remove_prefix(end);
    }
  });
}

std::optional<uid_t> choose_unused(const std::vector<IdRange>& used,
                                   const std::function<std::uint32_t()>& random) {
  for (int i = 0; i < kTries; ++i) {
    const std::uint64_t id = kUnusedUsers.first + random() % kUnusedUsers.count;
    const auto holds = [&](const IdRange& range) { return range.holds(id); };
    if (std::none_of(used.begin(), used.end(), holds)) return static_cast<uid_t>(id);
  }
  return std::nullopt;
}

std::optional<uid_t> find_unused_user() {
  std::vector<IdRange> used;
  for (const char* path : {"/etc/passwd", "/etc/group"})
    if (const auto text = process::read_whole_file(path, kLargestAccounts)) add_ids(*text, used);
  for (const char* path : {"/etc/subuid", "/etc/subgid"})
    if (const auto text = process::read_whole_file(path, kLargestAccounts)) add_ranges(*text, used);
  if (const auto pids = process::list_processes())
    for (const pid_t pid : *pids) {
      const std::string path = "/proc/" + std::to_string(pid) + "/status";
      // What ends meanwhile has no user any more.
      if (const auto text = process::read_whole_file(path, kLargestStatus))
        add_process_ids(*text, used);
    }
  return choose_unused(used, random_number);
}

}  // namespace cowtrace::pipeline
