// SPDX-License-Identifier: Apache-2.0
// A resolution, or a row of the kernel's aggregated counts, seen as the same thing: some
// resolutions of one mechanism on one page. Made on the fly, never stored for all events.
#pragma once

#include <cstdint>
#include <optional>

#include "model/facts.h"
#include "model/session.h"

namespace cowtrace::analysis {

struct Touch {
  const model::AddressSpace* space = nullptr;
  std::uint32_t place =
      0;  // in the space: index of its resolutions and, behind these, of its page_counts
  std::uint64_t page = 0;  // start of the page that was given: of the whole huge page if it was one
  std::uint64_t size = 0;  // its bytes
  std::uint64_t count = 0;
  std::uint64_t first_ns = 0;  // CLOCK_MONOTONIC
  std::uint64_t last_ns = 0;
  std::uint64_t address = 0;  // what was written last
  std::uint64_t ip = 0;
  std::uint64_t old_frame = 0;
  std::uint64_t new_frame = 0;
  model::StackHash stack;
  model::MappingHash mapping;
  std::int32_t pid = 0;  // the actor; 0: not known
  model::Mechanism mechanism = model::Mechanism::Copy;
  model::Cause cause = model::Cause::Unknown;
  model::Phase phase = model::Phase::Running;  // of a row of counts it is not known
  bool in_kernel = false;   // the instruction at `ip` is a system call, not the write
  bool collecting = false;  // Python's garbage collector was at work meanwhile
  bool aggregated = false;  // a row of counts: no stack, no actor, no moment for each

  [[nodiscard]] bool is_break() const { return model::is_break(mechanism); }
  [[nodiscard]] bool is_ending() const { return phase == model::Phase::Ending; }
  [[nodiscard]] std::uint64_t bytes() const { return count * size; }
};

// The kernel knows which task wrote, the facts what to: that it was a system call or another
// process says more.
model::Cause cause_of(const Touch& touch, model::Cause of_write);

// What the facts say of a touch.
model::Target target_of(const model::Session& session, const model::Facts& facts,
                        const Touch& touch);
const model::Effect& effect_of(const model::Session& session, const model::Facts& facts,
                               const Touch& touch);

// None where stacks did not tell when programs ended.
std::optional<model::Phase> phase_of(const model::Session& session, const Touch& touch);

// `place`: as Touch has it.
Touch touch_of(const model::AddressSpace& space, const model::Resolution& resolution,
               std::uint32_t place);
Touch touch_of(const model::AddressSpace& space, const model::PageCount& row, std::uint32_t place);
// The same by its place.
Touch touch_at(const model::AddressSpace& space, std::uint32_t place);

}  // namespace cowtrace::analysis
