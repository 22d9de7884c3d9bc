// SPDX-License-Identifier: Apache-2.0
// How much a machine instruction writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace cowtrace::process {

// Bytes that the instruction at the start of `code` stores to memory: of a repeated string
// instruction one element. None if it stores nothing, stores an amount that is not in its encoding
// (xsave), or cannot be decoded. `code` may hold more than the instruction.
[[nodiscard]] std::optional<std::uint32_t> store_size(std::span<const std::byte> code);

inline constexpr std::size_t kLongestInstruction = 15;

}  // namespace cowtrace::process
