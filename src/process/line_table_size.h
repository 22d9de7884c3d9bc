// SPDX-License-Identifier: Apache-2.0
// What libdw needs to keep one line-number table of DWARF, from its header alone. The table is a
// program, in which each byte may add a row; and each of its files gets a path of its own, though
// all of them name the same long directory: a few hundred kilobytes can take gigabytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace cowtrace::process {

// The content of the sections, as far as the file has them.
struct LineSections {
  std::string_view lines;         // .debug_line
  std::string_view line_strings;  // .debug_line_str
  std::string_view strings;       // .debug_str
};

struct LineTableSize {
  std::uint64_t rows = 0;   // at most
  std::uint64_t bytes = 0;  // at most, for the rows and for the paths
  friend bool operator==(const LineTableSize&, const LineTableSize&) = default;
};

// Of the table at `offset`, versions 2 to 5 in 32-bit and 64-bit DWARF, little-endian. `directory`:
// length of the path that relative ones are below. None if its header is none that libdw would
// take.
[[nodiscard]] std::optional<LineTableSize> line_table_size(const LineSections& sections,
                                                           std::uint64_t offset,
                                                           std::uint64_t directory);

}  // namespace cowtrace::process
