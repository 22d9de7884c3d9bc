// SPDX-License-Identifier: Apache-2.0
#include "scenario/ground.h"

#include <cowtrace/objects.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <cerrno>
#include <cstring>

#include "scenario/memory.h"
#include "scenario/writes.h"

namespace scenario {

GlobalCounters global_counters = {1, 1};

namespace {

#ifndef PR_SET_MEMORY_MERGE
constexpr int PR_SET_MEMORY_MERGE = 67;  // linux/prctl.h, kernel 6.4
#endif

void fill_ground(const Ground& ground) {
  for (std::uint64_t i = 0; i < ground.pages(); ++i) store(ground.page(i), i + 1);
  SmallObjects& small = ground.small();
  store(&small.hits, std::uint64_t{1});
  for (std::uint64_t& limit : small.limits) store(&limit, std::uint64_t{100});
  store(&global_counters.requests, std::uint64_t{1});
}

bool register_objects(const Ground& ground) {
  SmallObjects& small = ground.small();
  const auto add = [](const auto& object, const char* name, const char* type) {
    return cowtrace_register(&object, sizeof(object), name, type) != 0;
  };
  return cowtrace_register(ground.page(0), ground.pages() * kPageSize, "buffer", "std::byte[]") !=
             0 &&
         add(small.hits, "hits", "std::uint64_t") && add(small.misses, "misses", "std::uint64_t") &&
         add(small.last_request, "last_request", "scenario::Request") &&
         add(small.limits, "limits", "std::uint64_t[4]") &&
         add(small.flags, "flags", "std::uint32_t") && COWTRACE_OBJECT(global_counters) != 0;
}

}  // namespace

Result<Ground> Ground::prepare(std::uint64_t pages) {
  // Inherited from a service manager, this would let KSM merge (and so move) the ground. Older
  // kernels do not know it.
  ::prctl(PR_SET_MEMORY_MERGE, 0, 0, 0, 0);
  Ground ground;
  ground.pages_ = pages;
  const auto buffer = map_private(pages * kPageSize);
  if (!buffer) return tl::unexpected<Failure>(buffer.error());
  ground.buffer_ = *buffer;
  const auto small = map_private(kPageSize);
  if (!small) return tl::unexpected<Failure>(small.error());
  ground.small_ = reinterpret_cast<SmallObjects*>(*small);
  if (auto filled = fill_and_settle([&] { fill_ground(ground); }); !filled)
    return tl::unexpected<Failure>(filled.error());
  if (!register_objects(ground))
    return unavailable("cannot register the objects", "out of memory", "use fewer --pages");
  return ground;
}

std::vector<Region> Ground::regions() const {
  return {{reinterpret_cast<std::uint64_t>(buffer_), pages_ * kPageSize},
          {reinterpret_cast<std::uint64_t>(small_), kPageSize},
          {reinterpret_cast<std::uint64_t>(&global_counters), kPageSize}};
}

}  // namespace scenario
