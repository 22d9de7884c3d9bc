// SPDX-License-Identifier: Apache-2.0
// Frames are shared through generations: children fork once more and only the grandchildren write.
#include "scenario/experiment.h"
#include "scenario/writes.h"

namespace scenario {

Result<Truth> grandchild(const Options& options) {
  return play(options,
              {.grandchildren = true, .steps = {{Role::Grandchild, write_everything, true}}});
}

}  // namespace scenario
