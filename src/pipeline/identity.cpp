// SPDX-License-Identifier: Apache-2.0
#include "pipeline/identity.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>

#include "base/units.h"

namespace cowtrace::pipeline {
namespace {

struct Close {
  void operator()(FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<FILE, Close>;

std::optional<uid_t> as_number(const std::string& user) {
  uid_t number = 0;
  const char* end = user.data() + user.size();
  const auto [stop, error] = std::from_chars(user.data(), end, number);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return number;
}

// The group of the user's entry, then those that name the user.
std::vector<gid_t> groups_of(const Identity& user, const char* path) {
  std::vector<gid_t> found = {user.gid};
  const File file(std::fopen(path, "re"));
  if (!file) return found;
  while (const group* entry = fgetgrent(file.get()))
    for (char** member = entry->gr_mem; *member != nullptr; ++member)
      if (user.name == *member &&
          std::find(found.begin(), found.end(), entry->gr_gid) == found.end())
        found.push_back(entry->gr_gid);
  return found;
}

}  // namespace

Result<Identity> find_user(const std::string& user, const char* users, const char* groups) {
  const File file(std::fopen(users, "re"));
  if (!file)
    return fail_errno(fmt::format("--user {}: cannot read {}", printable(user), users), errno);
  const auto number = as_number(user);
  std::optional<Identity> found;
  while (const passwd* entry = fgetpwent(file.get())) {
    const bool named = user == entry->pw_name;
    // A name that looks like a number is a name first, as in chown.
    if (!named && (found || !number || *number != entry->pw_uid)) continue;
    found =
        Identity{entry->pw_uid, entry->pw_gid, {}, entry->pw_name, entry->pw_dir, entry->pw_shell};
    if (named) break;
  }
  if (!found)
    return fail(fmt::format("--user {}", printable(user)), fmt::format("no such user in {}", users),
                "give a user who is in it");
  found->groups = groups_of(*found, groups);
  return *found;
}

bool become(const Identity& identity) {
  return setgroups(identity.groups.size(), identity.groups.data()) == 0 &&
         setgid(identity.gid) == 0 && setuid(identity.uid) == 0 &&
         setenv("HOME", identity.home.c_str(), 1) == 0 &&
         setenv("USER", identity.name.c_str(), 1) == 0 &&
         setenv("LOGNAME", identity.name.c_str(), 1) == 0 &&
         setenv("SHELL", identity.shell.c_str(), 1) == 0;
}

}  // namespace cowtrace::pipeline
