// SPDX-License-Identifier: Apache-2.0
// Children first, then the parent, by then the last owner of the old frames: it faults and reuses
// them, and nothing is copied.
#include "scenario/experiment.h"
#include "scenario/writes.h"

namespace scenario {

Result<Truth> mutate_both(const Options& options) {
  return play(options, {.steps = {{Role::Child, write_everything, true},
                                  {Role::Parent, write_everything, false}}});
}

}  // namespace scenario
