// SPDX-License-Identifier: Apache-2.0
// The processes of a control group and of the groups below it, of either version.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace cowtrace::process {

// `name`: a folder of a mounted hierarchy, or a group as /proc/PID/cgroup and systemd name it
// ("system.slice/redis.service"); then the folders of all hierarchies that have such a group.
[[nodiscard]] Result<std::vector<std::filesystem::path>> find_cgroup(const std::string& name);

// In our pid namespace. A group that ends meanwhile is no error; one whose members cannot be asked
// for is.
[[nodiscard]] Result<std::vector<pid_t>> cgroup_members(
    const std::vector<std::filesystem::path>& folders);

}  // namespace cowtrace::process
