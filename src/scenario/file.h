// SPDX-License-Identifier: Apache-2.0
// Files without a name, to be mapped; they are gone when the last mapping is.
#pragma once

#include <cstdint>
#include <optional>

#include "scenario/failure.h"
#include "scenario/truth.h"

namespace scenario {

// A file in memory, `bytes` long and not all zeros, mapped readable and writable with `flags`
// (MAP_PRIVATE or MAP_SHARED).
Result<Region> map_memory_file(std::uint64_t bytes, int flags);

// The same on the file system of TMPDIR (/tmp), where the kernel wants to be told of the first
// write to a clean page. nullopt where that file system has no files without a name.
Result<std::optional<Region>> map_disk_file(std::uint64_t bytes, int flags);

}  // namespace scenario
