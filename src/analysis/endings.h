// SPDX-License-Identifier: Apache-2.0
// When threads were ending their program, as the stacks of what they wrote tell.
#pragma once

#include <vector>

#include "model/objects.h"
#include "model/phase.h"
#include "model/session.h"

namespace cowtrace::analysis {

// For a session after finish(). A thread begins to end with the first stack that holds one of
// kEndingFunctions. After one that never returns, all that the thread writes belongs to the end.
// After one that returns, a whole stack without such a function is work again; a stack that was cut
// short proves nothing, and leaves things as they were. What an exit handler forks is at work.
// Needs native stacks: without them it finds only kEndingPythonFunctions.
[[nodiscard]] std::vector<model::Ending> find_endings(const model::Session& session,
                                                      model::Resolver& resolver);

}  // namespace cowtrace::analysis
