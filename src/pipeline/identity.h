// SPDX-License-Identifier: Apache-2.0
// The user of --user, from the files themselves: name service modules are loaded libraries, which a
// static binary does not have.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace cowtrace::pipeline {

struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // gid first
  std::string name;
  std::string home;
  std::string shell;
};

// `user` is a name, or the number of a user who is in the file.
[[nodiscard]] Result<Identity> find_user(const std::string& user, const char* users = "/etc/passwd",
                                         const char* groups = "/etc/group");

// Makes this process that user, with the variables that login sets; sets errno. For the child of a
// fork.
[[nodiscard]] bool become(const Identity& identity);

}  // namespace cowtrace::pipeline
