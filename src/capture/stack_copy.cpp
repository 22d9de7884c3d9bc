// SPDX-License-Identifier: Apache-2.0
#include "capture/stack_copy.h"

#include <fmt/format.h>

#include <cstring>

#include "abi/unwind.h"
#include "base/units.h"
#include "capture/decoder.h"

namespace cowtrace::capture {

std::optional<std::uint64_t> StackCopy::word(std::uint64_t address) const {
  const std::uint64_t at = address - registers.sp;
  if (memory.size() < sizeof(std::uint64_t) || at > memory.size() - sizeof(std::uint64_t)) return std::nullopt;
  std::uint64_t value = 0;
  std::memcpy(&value, memory.data() + at, sizeof(value));
  return value;
}

Result<StackCopy> decode_stack_copy(std::span<const std::byte> bytes) {
  cowtrace_stack_copy raw;
  if (bytes.size() < sizeof(raw)) return fail(fmt::format("copy of a stack of {} bytes", bytes.size()));
  std::memcpy(&raw, bytes.data(), sizeof(raw));
  if (raw.stack.header.kind != COWTRACE_EVENT_STACK_COPY) return fail(fmt::format("event of kind {} among copies of stacks", raw.stack.header.kind));
  if (raw.pages > COWTRACE_COPY_PAGES || raw.limit > COWTRACE_MAX_FRAMES)
    return fail(fmt::format("copy of a stack with {} pages and {} stack frames", raw.pages, raw.limit));
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
  const std::size_t below = raw.sp % kPageSize;
  if (raw.pages > 0) {
    const auto memory = std::as_bytes(std::span(raw.bytes)).subspan(below, raw.pages * kPageSize - below);
    copy.memory.assign(memory.begin(), memory.end());
  }
  return copy;
}

}  // namespace cowtrace::capture
