// SPDX-License-Identifier: Apache-2.0
// The parent pays too: while children hold the old frames, its own writes are copied.
#include "scenario/experiment.h"
#include "scenario/writes.h"

namespace scenario {

Result<Truth> mutate_parent(const Options& options) {
  return play(options, {.steps = {{Role::Parent, write_everything, true}}});
}

}  // namespace scenario
