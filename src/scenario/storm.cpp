// SPDX-License-Identifier: Apache-2.0
// As many breaks a second as the machine can do, for benchmarks: nothing but one store a page.
#include "scenario/experiment.h"
#include "scenario/writes.h"

namespace scenario {
namespace {

[[gnu::noinline]] void storm_pages(std::byte* first, const std::byte* end) {
  for (std::byte* page = first; page < end; page += kPageSize) store(page, std::uint8_t{2});
}

Result<std::uint64_t> storm_everything(const Ground& ground) {
  storm_pages(ground.page(0), ground.page(ground.pages()));
  write_small_objects(ground);
  write_global();
  return ground.all_pages();
}

}  // namespace

Result<Truth> storm(const Options& options) {
  return play(options, {.steps = {{Role::Child, storm_everything, true}}});
}

}  // namespace scenario
