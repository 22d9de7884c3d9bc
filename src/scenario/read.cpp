// SPDX-License-Identifier: Apache-2.0
// Reading shares: nothing is copied, however many processes look.
#include "scenario/experiment.h"
#include "scenario/writes.h"

namespace scenario {
namespace {

Result<std::uint64_t> read_everything(const Ground& ground) {
  read_pages(ground);
  return 0;
}

}  // namespace

Result<Truth> read_only(const Options& options) {
  return play(options, {.steps = {{Role::Child, read_everything, false}}});
}

}  // namespace scenario
