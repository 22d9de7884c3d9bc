// SPDX-License-Identifier: Apache-2.0
// Which process a thread belongs to, and who traces it.
#pragma once

#include <sys/types.h>

#include "base/result.h"

namespace cowtrace::process {

// The thread-group id of `tid` (also of a zombie), from /proc/TID/status.
[[nodiscard]] Result<pid_t> thread_group(pid_t tid);

// Who traces it with ptrace, from the same file; 0: nobody, or it has ended.
[[nodiscard]] pid_t tracer_of(pid_t tid);

}  // namespace cowtrace::process
