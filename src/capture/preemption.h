// SPDX-License-Identifier: Apache-2.0
// Whether this kernel may take the CPU from a task that is in the kernel: then our hooks are
// attached several times (bpf/lib/again.h).
#pragma once

#include <string_view>

namespace cowtrace::capture {

// `version` is uname's; `modes` is the content of debugfs' sched/preempt ("none (voluntary) full"),
// empty where it cannot be read. What is not known counts as yes.
[[nodiscard]] bool preempts(std::string_view version, std::string_view modes);

// Of the running kernel.
[[nodiscard]] bool kernel_preempts();

}  // namespace cowtrace::capture
