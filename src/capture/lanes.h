// SPDX-License-Identifier: Apache-2.0
// The lanes: one short queue of breaks a CPU, in memory that the BPF programs and we share
// (bpf/abi/config.h), with the CPU's counters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "abi/config.h"
#include "base/result.h"
#include "capture/mapped_array.h"

namespace cowtrace::capture {

class Lanes {
 public:
  Lanes() = default;
  // Maps the lanes of the BPF map `fd`, which has `count` of them.
  static Result<Lanes> map(int fd, std::size_t count);

  // Hands every whole event that is there now to `take` (a span of bytes, valid during the call),
  // lane after lane, each in its order. What comes meanwhile waits: it is later than what went to
  // the ring buffer when a lane was full.
  template <typename Take>
  void drain(const Take& take) {
    for (cowtrace_lane& lane : lanes_.all()) drain_one(lane, take);
  }

  // Only while no program counts.
  void reset_counters() {
    for (cowtrace_lane& lane : lanes_.all()) lane.counters = {};
  }

  // As the kernel keeps them, one a CPU; they go on while programs are attached.
  [[nodiscard]] std::span<const cowtrace_lane> all() const { return lanes_.all(); }

 private:
  template <typename Take>
  static void drain_one(cowtrace_lane& lane, const Take& take) {
    constexpr std::uint64_t kGiveBack = 64;  // slots: seldom enough not to fight for the cache line
    const std::uint64_t head = __atomic_load_n(&lane.head, __ATOMIC_ACQUIRE);
    std::uint64_t tail = lane.tail;
    while (tail != head) {
      const cowtrace_slot& slot = lane.slots[tail % COWTRACE_LANE_SLOTS];
      // Whole only when it says so: `head` is raised before the event is written.
      if (__atomic_load_n(&slot.turn, __ATOMIC_ACQUIRE) != tail + 1) break;
      take(std::span(reinterpret_cast<const std::byte*>(slot.event), sizeof(slot.event)));
      if (++tail % kGiveBack == 0) __atomic_store_n(&lane.tail, tail, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&lane.tail, tail, __ATOMIC_RELEASE);
  }

  MappedArray<cowtrace_lane> lanes_;
};

}  // namespace cowtrace::capture
