// SPDX-License-Identifier: Apache-2.0
#include "process/store_size.h"

#if defined(__x86_64__)
#include <Zydis/Zydis.h>

#include <algorithm>
#include <array>
#endif

namespace cowtrace::process {

#if defined(__x86_64__)

std::optional<std::uint32_t> store_size(std::span<const std::byte> code) {
  ZydisDecoder decoder;
  if (ZYAN_FAILED(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
    return std::nullopt;
  ZydisDecodedInstruction instruction;
  std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands{};
  if (ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, code.data(), code.size(), &instruction,
                                         operands.data())))
    return std::nullopt;
  std::uint32_t bytes = 0;
  for (std::size_t i = 0; i < std::min<std::size_t>(instruction.operand_count, operands.size());
       ++i) {
    const ZydisDecodedOperand& operand = operands[i];
    const bool stores = (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
    // lea has a memory operand, but only its address counts.
    if (stores && operand.type == ZYDIS_OPERAND_TYPE_MEMORY &&
        operand.mem.type == ZYDIS_MEMOP_TYPE_MEM)
      bytes += operand.size / 8;
  }
  if (bytes == 0) return std::nullopt;
  return bytes;
}

#else

// No decoder of other instruction sets is linked: bytes written stay unknown there.
std::optional<std::uint32_t> store_size(std::span<const std::byte>) {
  return std::nullopt;
}

#endif

}  // namespace cowtrace::process
