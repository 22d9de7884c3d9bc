// SPDX-License-Identifier: Apache-2.0
// What the kernel has counted by process, page and mechanism (--detail counts).
#pragma once

#include <vector>

#include "base/result.h"
#include "capture/capture.h"

namespace cowtrace::capture {

// All rows of the BPF map `fd` of cowtrace_pages (bpf/abi/config.h), in no order. Complete if
// nobody adds to it meanwhile; fails if the kernel does not tell them.
[[nodiscard]] Result<std::vector<PageCountRow>> read_page_counts(int fd);

}  // namespace cowtrace::capture
