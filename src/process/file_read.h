// SPDX-License-Identifier: Apache-2.0
// Reading files that others control: bounded in size, never blocking, regular files only where that
// matters.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <functional>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace cowtrace::process {

// The whole content of a file of /proc. A file larger than `limit` bytes is an error, not a cut.
[[nodiscard]] Result<std::string> read_whole_file(const std::string& path, std::size_t limit);

// Opens for reading without blocking. Anything but a regular file (a FIFO, a device) is refused
// without being opened, for opening it may have effects.
[[nodiscard]] Result<Fd> open_regular(const std::string& path);

// The same of what has been found with O_PATH; errno is why if it has not. `path` is for messages.
// `may`: if there is one, it decides too.
[[nodiscard]] Result<Fd> open_place(Fd place, const std::string& path,
                                    const std::function<bool(const struct stat&)>& may = nullptr);

}  // namespace cowtrace::process
