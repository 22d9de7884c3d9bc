// SPDX-License-Identifier: Apache-2.0
#include "capture/stack_copy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "abi/unwind.h"
#include "capture/decoder.h"

namespace cowtrace::capture {

std::optional<std::uint64_t> StackCopy::word(std::uint64_t address) const {
  const std::uint64_t at = address - registers.sp;
  if (memory.size() < sizeof(std::uint64_t) || at > memory.size() - sizeof(std::uint64_t))
    return std::nullopt;
  std::uint64_t value = 0;
  std::memcpy(&value, memory.data() + at, sizeof(value));
  return value;
}

Result<StackCopy> decode_stack_copy(std::span<const std::byte> bytes) {
  cowtrace_stack_copy raw;
  if (bytes.size() < COWTRACE_SHORT_COPY_BYTES)
    return fail(fmt::format("copy of a stack of {} bytes", bytes.size()));
  const std::size_t had = std::min(bytes.size(), sizeof(raw));
  std::memcpy(&raw, bytes.data(), had);
  if (raw.stack.header.kind != COWTRACE_EVENT_STACK_COPY)
    return fail(fmt::format("event of kind {} among copies of stacks", raw.stack.header.kind));
  if (std::size_t{raw.start} + raw.size > had - offsetof(cowtrace_stack_copy, bytes) ||
      raw.limit > COWTRACE_MAX_FRAMES)
    return fail(fmt::format("copy of {} + {} bytes of a stack with {} stack frames", raw.start,
                            raw.size, raw.limit));
  // What it has of the stack itself is an event like others.
  raw.stack.header.kind = COWTRACE_EVENT_STACK;
  raw.stack.header.size = sizeof(raw.stack);
  auto event = decode(std::as_bytes(std::span(&raw.stack, 1)));
  if (!event) return tl::unexpected(event.error());
  StackCopy copy;
  copy.known = std::move(std::get<model::Stack>(*event));
  if (copy.known.frames.empty()) return fail("copy of a stack without stack frames");
  copy.registers = {raw.ip, raw.sp, raw.bp, raw.bx, raw.exact != 0};
  copy.scope = raw.scope;
  copy.pid = raw.stack.header.pid;
  copy.start_code = raw.start_code;
  copy.start_stack = raw.start_stack;
  copy.file_start = raw.file_start;
  copy.file_size = raw.file_size;
  copy.limit = raw.limit;
  const auto memory = std::as_bytes(std::span(raw.bytes)).subspan(raw.start, raw.size);
  copy.memory.assign(memory.begin(), memory.end());
  return copy;
}

}  // namespace cowtrace::capture
