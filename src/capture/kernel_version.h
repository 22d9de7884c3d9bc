// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

namespace cowtrace::capture {

// Major and minor number of the running kernel, {0, 0} if it tells none. A hint where to begin:
// distributions backport.
[[nodiscard]] std::pair<int, int> kernel_version();

}  // namespace cowtrace::capture
