// SPDX-License-Identifier: Apache-2.0
#include "trace/resolution_columns.h"

#include "base/units.h"

namespace cowtrace::trace {
namespace {

constexpr std::uint32_t kMechanismBits = 0xf, kCauseShift = 4, kCauseBits = 0xf, kInKernel = 1 << 8,
                        kLate = 1 << 9, kInPython = 1 << 10, kGcCollecting = 1 << 11,
                        kHasBefore = 1 << 12;
static_assert(model::kMechanismNumbers == kMechanismBits + 1);
static_assert(model::kCauseNames.size() == kCauseBits + 1);

// The number of `value` in a table whose new entries go to `added`; 0 stands for 0.
template <typename Column>
std::uint32_t number_of(std::uint64_t value,
                        std::unordered_map<std::uint64_t, std::uint32_t>& table, Column* added) {
  if (value == 0) return 0;
  const auto [entry, is_new] =
      table.try_emplace(value, static_cast<std::uint32_t>(table.size() + 1));
  if (is_new) added->Add(value);
  return entry->second;
}

}  // namespace

void ResolutionEncoder::begin() {
  deltas_.assign(actors_.size(), {});
  time_ = {};
}

std::uint32_t ResolutionEncoder::actor_of(const model::Resolution& event, Resolutions& to) {
  const auto [entry, is_new] = actors_.try_emplace({event.space, event.pid, event.tid},
                                                   static_cast<std::uint32_t>(actors_.size()));
  if (is_new) {
    Actor& actor = *to.add_actors();
    actor.set_space(event.space.value);
    actor.set_pid(event.pid);
    actor.set_tid(event.tid);
    deltas_.emplace_back();
  }
  return entry->second;
}

void ResolutionEncoder::add(const model::Resolution& event, Resolutions& to) {
  const std::uint32_t actor = actor_of(event, to);
  ActorDeltas& deltas = deltas_[actor];
  to.add_actor(actor);
  to.add_time_ns(time_.put(event.time_ns));
  to.add_address(deltas.address.put(event.address));
  to.add_old_frame(deltas.old_frame.put(event.old_frame));
  to.add_new_frame(deltas.new_frame.put(event.new_frame));
  to.add_ip(number_of(event.ip, ips_, to.mutable_ips()));
  to.add_stack(number_of(event.stack.value, stacks_, to.mutable_stacks()));
  to.add_mapping(number_of(event.mapping.value, mappings_, to.mutable_mapping_hashes()));
  to.add_latency_ns(event.latency_ns);
  to.add_size(static_cast<std::uint32_t>(event.size / kPageSize));
  to.add_what(static_cast<std::uint32_t>(event.mechanism) |
              static_cast<std::uint32_t>(event.cause) << kCauseShift |
              (event.in_kernel ? kInKernel : 0) | (event.late ? kLate : 0) |
              (event.in_python ? kInPython : 0) | (event.gc_collecting ? kGcCollecting : 0) |
              (event.has_before ? kHasBefore : 0));
  if (event.has_before) to.add_before(deltas.before.put(event.before));
}

bool ResolutionDecoder::take(const Resolutions& from, std::vector<model::Resolution>& events) {
  actors_.insert(actors_.end(), from.actors().begin(), from.actors().end());
  stacks_.insert(stacks_.end(), from.stacks().begin(), from.stacks().end());
  mappings_.insert(mappings_.end(), from.mapping_hashes().begin(), from.mapping_hashes().end());
  ips_.insert(ips_.end(), from.ips().begin(), from.ips().end());
  const int rows = from.actor_size();
  for (const int size :
       {from.time_ns_size(), from.address_size(), from.old_frame_size(), from.new_frame_size(),
        from.ip_size(), from.stack_size(), from.mapping_size(), from.latency_ns_size(),
        from.size_size(), from.what_size()})
    if (size != rows) return false;
  std::unordered_map<std::uint32_t, ActorDeltas> deltas;
  Delta time;
  int before = 0;
  for (int i = 0; i < rows; ++i) {
    const std::uint32_t number = from.actor(i), what = from.what(i);
    if (number >= actors_.size() || from.ip(i) >= ips_.size() || from.stack(i) >= stacks_.size() ||
        from.mapping(i) >= mappings_.size())
      return false;
    if (from.size(i) == 0 || from.size(i) > UINT32_MAX / kPageSize) return false;
    const Actor& actor = actors_[number];
    ActorDeltas& delta = deltas[number];
    model::Resolution& event = events.emplace_back();
    event.space = model::SpaceId(actor.space());
    event.pid = actor.pid();
    event.tid = actor.tid();
    event.time_ns = time.get(from.time_ns(i));
    event.address = delta.address.get(from.address(i));
    event.old_frame = delta.old_frame.get(from.old_frame(i));
    event.new_frame = delta.new_frame.get(from.new_frame(i));
    event.ip = ips_[from.ip(i)];
    event.stack = model::StackHash(stacks_[from.stack(i)]);
    event.mapping = model::MappingHash(mappings_[from.mapping(i)]);
    event.latency_ns = from.latency_ns(i);
    event.size = static_cast<std::uint32_t>(from.size(i) * kPageSize);
    event.mechanism = static_cast<model::Mechanism>(what & kMechanismBits);
    event.cause = static_cast<model::Cause>(what >> kCauseShift & kCauseBits);
    event.in_kernel = (what & kInKernel) != 0;
    event.late = (what & kLate) != 0;
    event.in_python = (what & kInPython) != 0;
    event.gc_collecting = (what & kGcCollecting) != 0;
    event.has_before = (what & kHasBefore) != 0;
    if (!event.has_before) continue;
    if (before == from.before_size()) return false;
    event.before = delta.before.get(from.before(before++));
  }
  return before == from.before_size();
}

}  // namespace cowtrace::trace
