// SPDX-License-Identifier: Apache-2.0
// How large the ring buffers are where nobody says it: large enough for storms of breaks, and never
// what a small machine runs out of memory by.
#pragma once

#include <cstdint>
#include <optional>

namespace cowtrace::capture {

// Bytes that the kernel holds, powers of two. Each is mapped twice, so that a process seems to have
// twice as much.
struct BufferSizes {
  std::uint64_t breaks = 0;   // --buffer
  std::uint64_t copies = 0;   // of stacks that are still to be unwound
  std::uint64_t control = 0;  // what gives breaks their meaning
  [[nodiscard]] std::uint64_t sum() const { return breaks + copies + control; }
  friend bool operator==(const BufferSizes&, const BufferSizes&) = default;
};

// For so many CPUs. Together no more than an eighth of `available` bytes, as far as they still
// serve their purpose (1 MiB each); none: not known.
[[nodiscard]] BufferSizes usual_buffer_sizes(std::uint32_t cpus,
                                             std::optional<std::uint64_t> available);

// --buffer as a ring buffer can have it: a power of two from a page to 1 GiB.
[[nodiscard]] std::uint64_t ring_size(std::uint64_t wanted);

}  // namespace cowtrace::capture
