// SPDX-License-Identifier: Apache-2.0
#include "capture/buffer_sizes.h"

#include <algorithm>
#include <bit>

#include "base/units.h"

namespace cowtrace::capture {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kSmallest = 1 * kMiB;
constexpr std::uint64_t kPart = 8;  // of what is available

// Copies of stacks come in a burst when a program begins to break pages, from each CPU, and hardly
// any more. All of it counts as our memory, twice, from the beginning.
std::uint64_t copies_for(std::uint32_t cpus) {
  constexpr std::uint64_t kForEachCpu = 4 * kMiB;
  return std::clamp<std::uint64_t>(std::bit_ceil(cpus * kForEachCpu), 8 * kMiB, 64 * kMiB);
}

}  // namespace

BufferSizes usual_buffer_sizes(std::uint32_t cpus, std::optional<std::uint64_t> available) {
  BufferSizes sizes{64 * kMiB, copies_for(cpus), 8 * kMiB};
  while (available && sizes.sum() > *available / kPart) {
    std::uint64_t& largest = sizes.breaks >= sizes.copies ? sizes.breaks : sizes.copies;
    std::uint64_t& next = largest >= sizes.control ? largest : sizes.control;
    if (next <= kSmallest) break;
    next /= 2;
  }
  return sizes;
}

std::uint64_t ring_size(std::uint64_t wanted) {
  return std::bit_ceil(std::clamp<std::uint64_t>(wanted, kPageSize, std::uint64_t{1} << 30));
}

}  // namespace cowtrace::capture
