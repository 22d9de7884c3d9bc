// SPDX-License-Identifier: Apache-2.0
// Whether a process that still runs will end without doing anything for it.
#pragma once

#include <sys/types.h>

#include <string_view>

namespace cowtrace::process {

// `status` is the text of /proc/PID/status. True if a signal is pending that ends the process:
// SIGKILL, or one whose default is to end it and which it neither blocks, ignores nor catches.
// False for a zombie: it has ended.
[[nodiscard]] bool is_ending(std::string_view status);
// Also true of one that has taken such a signal, or has begun to exit, and did not come to its end
// so far. False if there is no such process.
[[nodiscard]] bool is_ending(pid_t pid);

}  // namespace cowtrace::process
