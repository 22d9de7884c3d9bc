// SPDX-License-Identifier: Apache-2.0
// A process that runs in the memory of the one that made it (CLONE_VM without CLONE_THREAD): two
// processes, one address space.
#pragma once

#include <sys/types.h>

#include <functional>

#include "scenario/failure.h"

namespace scenario {

// Makes one that does `work` and ends, and waits for its end; its pid. `work` must only load and
// store: the two share errno, locks and all else. With CLONE_VFORK in `flags` the kernel makes the
// parent wait, as vfork(2) does.
Result<pid_t> run_in_same_memory(int flags, const std::function<void()>& work);

}  // namespace scenario
