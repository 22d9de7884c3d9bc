// SPDX-License-Identifier: Apache-2.0
#include "scenario/writes.h"

namespace scenario {

void mutate_pages(const Ground& ground) {
  for (std::uint64_t i = 0; i < ground.pages(); ++i) store(ground.page(i) + offset_in_page(i), i);
}

void write_small_objects(const Ground& ground) {
  SmallObjects& small = ground.small();
  store(&small.last_request.number, std::uint64_t{2});
  store(&small.hits, std::uint64_t{2});
  store(&small.misses, std::uint64_t{2});
  store(&small.flags, std::uint32_t{2});
}

void write_global() {
  store(&global_counters.requests, std::uint64_t{2});
}

std::uint64_t read_pages(const Ground& ground) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < ground.pages(); ++i)
    sum += load<std::uint64_t>(ground.page(i) + offset_in_page(i));
  sum += load<std::uint64_t>(&ground.small().hits);
  return sum + load<std::uint64_t>(&global_counters.requests);
}

Result<std::uint64_t> write_everything(const Ground& ground) {
  mutate_pages(ground);
  write_small_objects(ground);
  write_global();
  return ground.all_pages();
}

}  // namespace scenario
