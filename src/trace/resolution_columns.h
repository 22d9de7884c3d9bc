// SPDX-License-Identifier: Apache-2.0
// Resolutions as columns of a trace file, and back.
#pragma once

#include <trace.pb.h>

#include <cstdint>
#include <map>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "model/events.h"
#include "trace/deltas.h"

namespace cowtrace::trace {

// Values that are near their predecessors of the same actor.
struct ActorDeltas {
  Delta address, old_frame, new_frame, before;
};

class ResolutionEncoder {
 public:
  // All of one block, one after the other; begin() before the first one of each.
  void begin();
  void add(const model::Resolution& event, Resolutions& to);

 private:
  std::uint32_t actor_of(const model::Resolution& event, Resolutions& to);

  std::map<std::tuple<model::SpaceId, std::int32_t, std::int32_t>, std::uint32_t> actors_;
  std::unordered_map<std::uint64_t, std::uint32_t> stacks_, mappings_, ips_;
  std::vector<ActorDeltas> deltas_;  // by actor
  Delta time_;
};

class ResolutionDecoder {
 public:
  // Appends what a block has to `events`. False: it contradicts itself; some of it may have been
  // appended.
  [[nodiscard]] bool take(const Resolutions& from, std::vector<model::Resolution>& events);

 private:
  std::vector<Actor> actors_;
  std::vector<std::uint64_t> stacks_ = {0}, mappings_ = {0}, ips_ = {0};
};

}  // namespace cowtrace::trace
