// SPDX-License-Identifier: Apache-2.0
#include "capture/decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <string>

#include "abi/events.h"
#include "base/units.h"

namespace cowtrace::capture {
namespace {

static_assert(model::kMechanisms == COWTRACE_MECHANISMS);
static_assert(static_cast<int>(model::Mechanism::Copy) == COWTRACE_COPY);
static_assert(static_cast<int>(model::Mechanism::KsmCopy) == COWTRACE_KSM_COPY);
static_assert(static_cast<int>(model::Mechanism::FirstWrite) == COWTRACE_FIRST_WRITE);
static_assert(model::kCauses == COWTRACE_CAUSES);
static_assert(static_cast<int>(model::Cause::Syscall) == COWTRACE_CAUSE_SYSCALL);

template <std::size_t Size>
std::string text(const char (&field)[Size]) {
  return {field, strnlen(field, Size)};
}

model::Counts counts(const cowtrace_counts& raw, std::uint32_t space) {
  model::Counts result;
  result.space = model::SpaceId(space);
  for (std::size_t i = 0; i < model::kMechanisms; ++i) {
    result.count[i] = raw.of[i].count;
    result.bytes[i] = raw.of[i].bytes;
  }
  return result;
}

// Bytes that an entry at `level` of the page tables maps.
std::uint32_t mapped_bytes(std::uint8_t level) {
  return level <= 1 ? kPageSize : level == 2 ? 2U << 20 : 1U << 30;
}

// The frame of the base page that holds `address`; 0 if the entry maps none. Of a huge entry only
// the bits above its size count: bit 12 is PAT on x86.
std::uint64_t frame(std::uint64_t entry, std::uint8_t level, std::uint64_t address) {
  if (level == 0) return 0;
  const std::uint64_t inside = mapped_bytes(level) - 1;
  return ((entry & COWTRACE_FRAME_BITS & ~inside) | (address & inside)) / kPageSize;
}

void take_before(const cowtrace_resolution& raw, model::Resolution& event) {
  const std::uint64_t word = raw.address & ~std::uint64_t{7},
                      start = cowtrace_window_start(raw.address);
  if (raw.window_size > sizeof(raw.window) || word < start ||
      word - start + sizeof(event.before) > raw.window_size)
    return;
  std::memcpy(&event.before, raw.window + (word - start), sizeof(event.before));
  event.has_before = true;
}

Result<model::Event> convert(const cowtrace_resolution& raw) {
  if (raw.old_level > 3 || raw.new_level > 3)
    return fail("event with unknown levels of page tables");
  if (raw.mechanism >= COWTRACE_MECHANISMS)
    return fail(fmt::format("event with unknown mechanism {}", raw.mechanism));
  if (raw.cause >= COWTRACE_CAUSES)
    return fail(fmt::format("event with unknown cause {}", raw.cause));
  model::Resolution event;
  event.time_ns = raw.header.time_ns;
  event.address = raw.address;
  event.ip = raw.ip;
  event.old_frame = frame(raw.old_pte, raw.old_level, raw.address);
  event.new_frame = frame(raw.new_pte, raw.new_level, raw.address);
  event.stack = model::StackHash(raw.stack);
  event.mapping = model::MappingHash(raw.mapping);
  event.space = model::SpaceId(raw.space);
  event.pid = raw.header.pid;
  event.tid = raw.header.tid;
  event.latency_ns = raw.latency_ns;
  event.size = mapped_bytes(raw.new_level);
  event.mechanism = static_cast<model::Mechanism>(raw.mechanism);
  event.cause = static_cast<model::Cause>(raw.cause);
  event.in_kernel = (raw.flags & COWTRACE_IN_KERNEL) != 0;
  event.late = (raw.flags & COWTRACE_LATE) != 0;
  event.in_python = (raw.flags & COWTRACE_PYTHON_THREAD) != 0;
  event.gc_collecting = (raw.flags & COWTRACE_GC_COLLECTING) != 0;
  take_before(raw, event);
  return event;
}

Result<model::Event> convert(const cowtrace_populate& raw) {
  return model::Populate{raw.header.time_ns, raw.address, raw.new_frame, raw.size,
                         model::SpaceId(raw.space)};
}

Result<model::Event> convert(const cowtrace_fork& raw) {
  model::Fork event;
  event.time_ns = raw.header.time_ns;
  event.parent_pid = raw.header.pid;
  event.parent_tid = raw.header.tid;
  event.child_pid = raw.child_pid;
  event.child_tid = raw.child_tid;
  event.child_start_ns = raw.child_start_ns;
  event.parent_space = model::SpaceId(raw.parent_space);
  event.child_space = model::SpaceId(raw.child_space);
  event.shares_memory = raw.shares_memory != 0;
  event.is_thread = raw.is_thread != 0;
  if (raw.took_ns != 0) event.took_ns = raw.took_ns;
  event.command = text(raw.command);
  return event;
}

Result<model::Event> convert(const cowtrace_exec& raw) {
  model::Exec event;
  event.time_ns = raw.header.time_ns;
  event.pid = raw.header.pid;
  event.tid = raw.header.tid;
  event.old_tid = raw.old_tid;
  event.start_ns = raw.start_ns;
  event.old_space = model::SpaceId(raw.old_space);
  event.new_space = model::SpaceId(raw.new_space);
  event.counts = counts(raw.counts, raw.old_space);
  event.command = text(raw.command);
  return event;
}

Result<model::Event> convert(const cowtrace_exit& raw) {
  model::Exit event;
  event.time_ns = raw.header.time_ns;
  event.pid = raw.header.pid;
  event.tid = raw.header.tid;
  event.start_ns = raw.start_ns;
  event.process_ended = raw.process_ended != 0;
  if (event.process_ended) event.wait_status = raw.wait_status;
  event.command = text(raw.command);
  event.counts = counts(raw.counts, raw.space);
  return event;
}

Result<model::Event> convert(const cowtrace_mapping& raw) {
  model::Mapping event;
  event.hash = model::MappingHash(raw.hash);
  event.space = model::SpaceId(raw.space);
  event.start = raw.start;
  event.end = raw.end;
  event.file_offset = raw.file_offset;
  event.inode = raw.inode;
  event.device = raw.device;
  event.flags = raw.flags;
  event.brk_start = raw.brk_start;
  event.brk_end = raw.brk_end;
  event.stack_start = raw.stack_start;
  event.name = text(raw.name);
  return event;
}

Result<model::Event> convert(const cowtrace_stack& raw) {
  static_assert(model::Stack::kMostFrames == COWTRACE_MAX_FRAMES);
  if (raw.depth > COWTRACE_MAX_FRAMES || raw.python_depth > COWTRACE_MAX_FRAMES ||
      raw.depth + raw.python_depth == 0)
    return fail(fmt::format("stack of depth {} and {} in Python", raw.depth, raw.python_depth));
  if (raw.header.size < COWTRACE_STACK_BYTES(raw.python_depth))
    return fail(
        fmt::format("stack of {} bytes with {} Python frames", raw.header.size, raw.python_depth));
  model::Stack event;
  event.hash = model::StackHash(raw.hash);
  event.space = model::SpaceId(raw.space);
  event.frames.assign(raw.ip, raw.ip + raw.depth);
  event.truncated = raw.truncated != 0;
  for (const cowtrace_python_frame& frame : std::span(raw.python).first(raw.python_depth))
    if (frame.code != 0) event.python.push_back({frame.code, frame.instruction, frame.owner});
  event.python_truncated = raw.python_truncated != 0;
  return event;
}

Result<model::Event> convert(const cowtrace_actor& raw) {
  model::Visitor event;
  event.pid = raw.header.pid;
  event.command = text(raw.command);
  return event;
}

Result<model::Event> convert(const cowtrace_attach& raw) {
  model::Attach event;
  event.time_ns = raw.header.time_ns;
  event.pid = raw.header.pid;
  event.parent_pid = raw.parent_pid;
  event.start_ns = raw.start_ns;
  event.parent_space = model::SpaceId(raw.parent_space);
  event.space = model::SpaceId(raw.space);
  event.command = text(raw.command);
  return event;
}

template <typename Raw>
Result<model::Event> decode_as(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(Raw))
    return fail(fmt::format("event of {} bytes instead of {}", bytes.size(), sizeof(Raw)));
  Raw raw;
  std::memcpy(&raw, bytes.data(), sizeof(raw));
  return convert(raw);
}

// Ends behind the frames that it has.
Result<model::Event> decode_stack(std::span<const std::byte> bytes) {
  if (bytes.size() < COWTRACE_STACK_BYTES(0))
    return fail(fmt::format("stack of {} bytes", bytes.size()));
  cowtrace_stack raw{};
  std::memcpy(&raw, bytes.data(), std::min(bytes.size(), sizeof(raw)));
  return convert(raw);
}

}  // namespace

bool is_wake(std::span<const std::byte> bytes) {
  cowtrace_header header;
  if (bytes.size() < sizeof(header)) return false;
  std::memcpy(&header, bytes.data(), sizeof(header));
  return header.kind == COWTRACE_EVENT_WAKE;
}

Result<model::Event> decode(std::span<const std::byte> bytes) {
  cowtrace_header header;
  if (bytes.size() < sizeof(header))
    return fail(fmt::format("event of {} bytes: no header", bytes.size()));
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.size > bytes.size())
    return fail(fmt::format("event says {} bytes, has {}", header.size, bytes.size()));
  bytes = bytes.first(header.size);
  switch (header.kind) {
    case COWTRACE_EVENT_RESOLUTION:
      return decode_as<cowtrace_resolution>(bytes);
    case COWTRACE_EVENT_POPULATE:
      return decode_as<cowtrace_populate>(bytes);
    case COWTRACE_EVENT_FORK:
      return decode_as<cowtrace_fork>(bytes);
    case COWTRACE_EVENT_EXEC:
      return decode_as<cowtrace_exec>(bytes);
    case COWTRACE_EVENT_EXIT:
      return decode_as<cowtrace_exit>(bytes);
    case COWTRACE_EVENT_MAPPING:
      return decode_as<cowtrace_mapping>(bytes);
    case COWTRACE_EVENT_STACK:
      return decode_stack(bytes);
    case COWTRACE_EVENT_ACTOR:
      return decode_as<cowtrace_actor>(bytes);
    case COWTRACE_EVENT_ATTACH:
      return decode_as<cowtrace_attach>(bytes);
    default:
      return fail(fmt::format("event of unknown kind {}", header.kind));
  }
}

}  // namespace cowtrace::capture
