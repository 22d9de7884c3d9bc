// SPDX-License-Identifier: Apache-2.0
// What a task that ptrace holds is doing in the kernel.
#pragma once

#include <sys/types.h>

#include <optional>

namespace cowtrace::process {

// Whether the stopped task `tid` is inside exit_group(2), also as a 32-bit program; nullopt: its
// registers cannot be read.
std::optional<bool> is_in_exit_group(pid_t tid);

}  // namespace cowtrace::process
