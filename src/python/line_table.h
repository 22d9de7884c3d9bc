// SPDX-License-Identifier: Apache-2.0
// From the line table of a code object to the line of an instruction. The bytes come from another
// process: any bytes are read without harm, in time linear in their number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "python/layout.h"

namespace cowtrace::python {

enum class LineFormat {
  kLnotab,     // co_lnotab, to 3.9: pairs of increments (Objects/lnotab_notes.txt of 3.9)
  kLinetable,  // co_linetable of 3.10: ranges, also without a line (PEP 626,
               // Objects/lnotab_notes.txt of 3.10)
  kLocations,  // co_linetable from 3.11 on: lines and columns (Objects/locations.md of 3.11,
               // InternalDocs/code_objects.md of 3.14)
};

[[nodiscard]] LineFormat line_format(Version version);

// The line of the instruction `byte_offset` bytes after the first one of the code; an instruction
// is two bytes, its inline caches belong to it. (3.8 and 3.9 store such an offset in f_lasti, 3.10
// half of it; later it is the difference of two addresses.) None where the code has no line (what
// the compiler added), where the offset is past the end of the table, or where the table makes no
// sense. A line is at least 1: the RESUME of a module says 0, and no file has that. A kLnotab does
// not say where the code ends: its last line goes on for ever.
[[nodiscard]] std::optional<std::uint32_t> line_of(LineFormat format,
                                                   std::span<const std::byte> table, int first_line,
                                                   std::uint32_t byte_offset);

}  // namespace cowtrace::python
