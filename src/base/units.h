// SPDX-License-Identifier: Apache-2.0
// Sizes in bytes and times in nanoseconds, as people write and read them; text that is safe for a
// terminal.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cowtrace {

inline constexpr std::uint64_t kPageSize = 4096;  // x86-64's base page, the unit of a copy

// The address of the base page that holds `address`.
constexpr std::uint64_t page_of(std::uint64_t address) {
  return address & ~(kPageSize - 1);
}

// Start of the page of `size` bytes (a power of two) that holds `address`; any other size means a
// base page.
constexpr std::uint64_t page_start(std::uint64_t address, std::uint64_t size) {
  return size > kPageSize && std::has_single_bit(size) ? address & ~(size - 1) : page_of(address);
}

// "0 B", "4.0 KiB", "390.6 MiB": binary units, one decimal from KiB up, at most 9 characters.
std::string human_bytes(std::uint64_t bytes);

// "850 ns", "14.2 us", "3.0 ms", "2.50 s".
std::string human_duration(std::uint64_t nanoseconds);

// "1,234,567".
std::string human_count(std::uint64_t count);

// "0x7f12a000".
std::string hex(std::uint64_t address);

// "64KiB", "64k", "1GiB", "4096" -> bytes (all suffixes binary, case ignored). Fails on anything
// else and on overflow.
Result<std::uint64_t> parse_bytes(std::string_view text);

// "30s", "5m", "2h", "500ms" -> nanoseconds. A bare number is refused: its unit would be a guess.
Result<std::uint64_t> parse_duration(std::string_view text);

// Untrusted text made harmless for a terminal and for one line: control bytes and invalid UTF-8
// become \xNN.
std::string printable(std::string_view untrusted);

}  // namespace cowtrace
