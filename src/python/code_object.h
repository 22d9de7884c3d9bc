// SPDX-License-Identifier: Apache-2.0
// What a code object says of a function: where it is, what it is called, and the lines of its
// instructions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "process/remote_memory.h"
#include "python/layout.h"

namespace cowtrace::python {

struct CodeInfo {
  std::string file;  // empty when it could not be read
  std::string name;
  std::string qualname;  // 3.11 and later, the name before
  int first_line = 0;
  std::vector<std::byte> line_table;
  bool has_line_table =
      false;         // false: it could not be read, or is larger than any compiler would make it
  bool cut = false;  // one of the names is longer than kMaxName
  std::uint64_t code_start = 0;  // 3.11 and later: the address of the first instruction; 0 before

  [[nodiscard]] bool is_complete() const { return has_line_table && !file.empty(); }
  // The line of an instruction; see line_of() in line_table.h.
  [[nodiscard]] std::optional<std::uint32_t> line(Version version, std::uint32_t byte_offset) const;
};

// Of two readings of what was at one address: `live`, from the process, which may have ended before
// the last of it was read, or the same from an image that has all of it.
[[nodiscard]] std::optional<CodeInfo> more_complete(std::optional<CodeInfo> live,
                                                    std::optional<CodeInfo> from_image);

inline constexpr std::size_t kMaxName = 4096;           // bytes
inline constexpr std::size_t kMaxLineTable = 1u << 20;  // bytes

// Reads the code object at `address`. `code_type` is the address of PyCode_Type, 0 when it is not
// known: then only the values themselves tell whether it is one. None where it is none, or where
// not even its name can be read.
[[nodiscard]] std::optional<CodeInfo> read_code(process::RemoteMemory& memory, const Layout& layout,
                                                std::uint64_t address, std::uint64_t code_type);

}  // namespace cowtrace::python
