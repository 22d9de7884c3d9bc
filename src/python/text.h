// SPDX-License-Identifier: Apache-2.0
// The text of a str object in another process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "process/remote_memory.h"
#include "python/layout.h"

namespace cowtrace::python {

struct Text {
  std::string utf8;
  bool cut = false;  // there is more of it than the limit allowed
};

// Reads the str at `address` (one that PyUnicode_READY was called for;
// Include/cpython/unicodeobject.h). At most `limit` bytes of UTF-8, cut between two characters;
// what UTF-8 cannot say (lone surrogates, nonsense) becomes U+FFFD, and control characters stay as
// they are. None where this is no str or its memory cannot be read. The type is not looked at.
[[nodiscard]] std::optional<Text> read_text(process::RemoteMemory& memory, const Layout& layout,
                                            std::uint64_t address, std::size_t limit);

}  // namespace cowtrace::python
