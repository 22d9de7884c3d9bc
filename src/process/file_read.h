// SPDX-License-Identifier: Apache-2.0
// Reading files that others control: bounded in size, never blocking, regular files only where that
// matters.
#pragma once

#include <cstddef>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace cowtrace::process {

// The whole content of a file of /proc. A file larger than `limit` bytes is an error, not a cut.
[[nodiscard]] Result<std::string> read_whole_file(const std::string& path, std::size_t limit);

// Opens for reading without blocking; anything but a regular file (a FIFO, a device) is refused.
[[nodiscard]] Result<Fd> open_regular(const std::string& path);

}  // namespace cowtrace::process
