// SPDX-License-Identifier: Apache-2.0
// The plain case: each child gets a copy of every page, for the parent still maps it.
#include "scenario/experiment.h"
#include "scenario/writes.h"

namespace scenario {

Result<Truth> mutate(const Options& options) {
  return play(options, {.steps = {{Role::Child, write_everything, true}}});
}

}  // namespace scenario
