// SPDX-License-Identifier: Apache-2.0
#include "python/line_table.h"

#include <limits>

namespace cowtrace::python {
namespace {

// 1 MiB of the largest increments does not overflow it.
using Line = std::int64_t;

constexpr unsigned kInstructionSize = 2;

std::optional<std::uint32_t> as_line(Line line) {
  if (line < 1 || line > std::numeric_limits<std::int32_t>::max()) return std::nullopt;
  return static_cast<std::uint32_t>(line);
}

std::uint8_t unsigned_byte(std::byte byte) {
  return std::to_integer<std::uint8_t>(byte);
}

std::int8_t signed_byte(std::byte byte) {
  return static_cast<std::int8_t>(unsigned_byte(byte));
}

// Pairs: bytes of code before the next row, lines to add at that row.
std::optional<std::uint32_t> lnotab_line(std::span<const std::byte> table, Line line,
                                         std::uint32_t offset) {
  std::uint64_t row = 0;
  for (std::size_t i = 0; i + 1 < table.size(); i += 2) {
    row += unsigned_byte(table[i]);
    if (row > offset) break;
    line += signed_byte(table[i + 1]);
  }
  return as_line(line);
}

// Pairs: bytes of code in this range, lines to add before it; -128 is a range without a line.
std::optional<std::uint32_t> linetable_line(std::span<const std::byte> table, Line line,
                                            std::uint32_t offset) {
  constexpr std::int8_t kNoLine = -128;
  std::uint64_t end = 0;
  for (std::size_t i = 0; i + 1 < table.size(); i += 2) {
    end += unsigned_byte(table[i]);
    const std::int8_t delta = signed_byte(table[i + 1]);
    if (delta != kNoLine) line += delta;
    if (offset < end) return delta == kNoLine ? std::nullopt : as_line(line);
  }
  return std::nullopt;
}

// A number in chunks of six bits, the least first; bit 6 says that another follows. None where it
// does not end inside the table, runs into the next entry, or has more bits than a line or a column
// can.
std::optional<std::uint32_t> varint_at(std::span<const std::byte> table, std::size_t at) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift <= 30 && at < table.size(); shift += 6, ++at) {
    const unsigned byte = unsigned_byte(table[at]);
    if ((byte & 0x80) != 0) return std::nullopt;
    value |= std::uint64_t{byte & 0x3f} << shift;
    if ((byte & 0x40) != 0) continue;
    if (value > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
    return static_cast<std::uint32_t>(value);
  }
  return std::nullopt;
}

// The sign is in the lowest bit.
std::optional<Line> signed_varint_at(std::span<const std::byte> table, std::size_t at) {
  const auto value = varint_at(table, at);
  if (!value) return std::nullopt;
  const Line magnitude = *value >> 1;
  return (*value & 1) != 0 ? -magnitude : magnitude;
}

// Entries: a first byte {1, code: 4 bits, instructions - 1: 3 bits}, then bytes without the top bit
// that depend on the code.
std::optional<std::uint32_t> location_line(std::span<const std::byte> table, Line line,
                                           std::uint32_t offset) {
  constexpr unsigned kOneLine0 = 10, kOneLine2 = 12, kNoColumns = 13, kLong = 14, kNone = 15;
  std::uint64_t end = 0;
  for (std::size_t i = 0; i < table.size();) {
    const unsigned first = unsigned_byte(table[i]);
    if ((first & 0x80) == 0) return std::nullopt;
    const unsigned code = (first >> 3) & 0xf;
    end += ((first & 7) + 1) * kInstructionSize;
    ++i;
    if (code >= kOneLine0 && code <= kOneLine2) {
      line += code - kOneLine0;
    } else if (code == kNoColumns || code == kLong) {
      const auto delta = signed_varint_at(table, i);
      if (!delta) return std::nullopt;
      line += *delta;
    }
    if (offset < end) return code == kNone ? std::nullopt : as_line(line);
    while (i < table.size() && (unsigned_byte(table[i]) & 0x80) == 0) ++i;
  }
  return std::nullopt;
}

}  // namespace

LineFormat line_format(Version version) {
  if (version < Version{3, 10}) return LineFormat::kLnotab;
  return version < Version{3, 11} ? LineFormat::kLinetable : LineFormat::kLocations;
}

std::optional<std::uint32_t> line_of(LineFormat format, std::span<const std::byte> table,
                                     int first_line, std::uint32_t byte_offset) {
  switch (format) {
    case LineFormat::kLnotab:
      return lnotab_line(table, first_line, byte_offset);
    case LineFormat::kLinetable:
      return linetable_line(table, first_line, byte_offset);
    case LineFormat::kLocations:
      return location_line(table, first_line, byte_offset);
  }
  return std::nullopt;
}

}  // namespace cowtrace::python
