// SPDX-License-Identifier: Apache-2.0
#include "analysis/touch.h"

#include "base/units.h"

namespace cowtrace::analysis {

model::Cause cause_of(const Touch& touch, model::Cause of_write) {
  // A row of counts has the address of its last write, which may have been another kind of write.
  if (touch.aggregated) return model::Cause::Unknown;
  return touch.cause != model::Cause::Unknown ? touch.cause : of_write;
}

model::Target target_of(const model::Session& session, const model::Facts& facts,
                        const Touch& touch) {
  return facts.target(session.number_of(*touch.space), touch.place);
}

const model::Effect& effect_of(const model::Session& session, const model::Facts& facts,
                               const Touch& touch) {
  return facts.effect(target_of(session, facts, touch));
}

std::optional<model::Phase> phase_of(const model::Session& session, const Touch& touch) {
  if (touch.aggregated || !session.capture.endings_known) return std::nullopt;
  return touch.phase;
}

Touch touch_of(const model::AddressSpace& space, const model::Resolution& resolution,
               std::uint32_t place) {
  Touch touch;
  touch.space = &space;
  touch.place = place;
  touch.page = page_start(resolution.address, resolution.size);
  touch.size = resolution.size;
  touch.count = 1;
  touch.first_ns = touch.last_ns = resolution.time_ns;
  touch.address = resolution.address;
  touch.ip = resolution.ip;
  touch.old_frame = resolution.old_frame;
  touch.new_frame = resolution.new_frame;
  touch.stack = resolution.stack;
  touch.mapping = resolution.mapping;
  touch.pid = resolution.pid;
  touch.in_kernel = resolution.in_kernel;
  touch.collecting = resolution.gc_collecting;
  touch.mechanism = resolution.mechanism;
  touch.cause = resolution.cause;
  touch.phase = resolution.phase;
  return touch;
}

Touch touch_of(const model::AddressSpace& space, const model::PageCount& row, std::uint32_t place) {
  Touch touch;
  touch.space = &space;
  touch.place = place;
  touch.page = page_start(row.page, row.size);
  touch.size = row.size;
  touch.count = row.count;
  touch.first_ns = row.first_ns;
  touch.last_ns = row.last_ns;
  touch.address = row.last_address;
  touch.old_frame = row.old_frame;
  touch.new_frame = row.new_frame;
  touch.mapping = row.mapping;
  touch.mechanism = row.mechanism;
  touch.aggregated = true;
  return touch;
}

Touch touch_at(const model::AddressSpace& space, std::uint32_t place) {
  const std::size_t resolutions = space.resolutions.size();
  if (place < resolutions) return touch_of(space, space.resolutions[place], place);
  return touch_of(space, space.page_counts[place - resolutions], place);
}

}  // namespace cowtrace::analysis
