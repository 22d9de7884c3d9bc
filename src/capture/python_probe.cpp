// SPDX-License-Identifier: Apache-2.0
#include "capture/python_probe.h"

#include <algorithm>
#include <limits>

#include "abi/python.h"

namespace cowtrace::capture {
namespace {

constexpr std::int32_t kWord = 8;

// An offset that has room in the ABI, and a word there.
bool is_offset(std::int32_t offset) {
  return offset >= 0 && offset <= std::numeric_limits<std::int16_t>::max() - kWord;
}

Error misfit(const char* what) {
  return {"cannot look for Python frames", what, "this build of CPython is not known"};
}

}  // namespace

std::optional<ThreadSlot> glibc_slot([[maybe_unused]] std::uint32_t key) {
#if defined(__x86_64__)
  // struct pthread is what the FS base points to. Each key has {seq, value}; the first block is
  // part of it.
  constexpr std::int32_t kFirstBlock = 0x310, kBlocks = 0x510, kEntry = 16, kValue = 8;
  constexpr std::uint32_t kPerBlock = 32, kMostKeys = 1024;
  if (key >= kMostKeys) return std::nullopt;
  const auto in_block = static_cast<std::int32_t>(key % kPerBlock) * kEntry + kValue;
  if (key < kPerBlock) return ThreadSlot{kFirstBlock + in_block, std::nullopt};
  return ThreadSlot{kBlocks + static_cast<std::int32_t>(key / kPerBlock) * kWord, in_block};
#else
  return std::nullopt;
#endif
}

Result<cowtrace_python> encode(const PythonProbe& probe) {
  const auto& thread = probe.thread;
  const auto& frame = probe.frame;
  if (probe.interpreter == 0) return tl::unexpected(misfit("no interpreter"));
  for (const std::int32_t offset :
       {thread.interp, thread.frame, thread.cframe_current_frame.value_or(0),
        probe.slot.in_block.value_or(0)})
    if (!is_offset(offset)) return tl::unexpected(misfit("an offset is out of range"));
  for (const std::int32_t offset :
       {frame.code, frame.previous, frame.instruction, frame.owner.value_or(0)})
    if (!is_offset(offset)) return tl::unexpected(misfit("an offset in a frame is out of range"));
  const std::int32_t start =
      std::min({frame.code, frame.previous, frame.instruction}) / kWord * kWord;
  const std::int32_t instruction_size = frame.has_lasti ? 4 : kWord;
  const std::int32_t end =
      std::max({frame.code + kWord, frame.previous + kWord, frame.instruction + instruction_size,
                frame.owner.value_or(0) + 1});
  if (end - start >= COWTRACE_PYTHON_FRAME_BYTES || frame.owner.value_or(start) < start)
    return tl::unexpected(misfit("the fields of a frame lie too far apart"));
  for (const std::int32_t offset : {frame.code, frame.previous, frame.instruction})
    if (offset % kWord != 0) return tl::unexpected(misfit("a field of a frame is not aligned"));

  cowtrace_python raw{};
  raw.interpreter = probe.interpreter;
  raw.collecting = probe.gc_collecting;
  raw.file_start = probe.file_start;
  raw.file_size = probe.file_end > probe.file_start ? probe.file_end - probe.file_start : 0;
  raw.slot = probe.slot.offset;
  raw.block_slot = probe.slot.in_block.value_or(-1);
  raw.thread_interpreter = static_cast<__s16>(thread.interp);
  raw.thread_frame = static_cast<__s16>(thread.frame);
  raw.cframe_frame = static_cast<__s16>(thread.cframe_current_frame.value_or(-1));
  raw.frame_start = static_cast<__u16>(start);
  raw.frame_size = static_cast<__u8>(end - start);
  raw.code = static_cast<__u8>(frame.code - start);
  raw.previous = static_cast<__u8>(frame.previous - start);
  raw.instruction = static_cast<__u8>(frame.instruction - start);
  raw.owner = frame.owner ? static_cast<__u8>(*frame.owner - start) : raw.frame_size;
  raw.tag_bits = frame.code_tag;
  raw.kind = frame.has_lasti ? COWTRACE_PYTHON_OLD : COWTRACE_PYTHON_NEW;
  return raw;
}

}  // namespace cowtrace::capture
