// SPDX-License-Identifier: Apache-2.0
// The frames of the kernel's zero page and huge zero page. They back untouched memory that was only
// read; pagemap shows them as anonymous and present, yet they are nobody's memory.
#pragma once

#include <cstdint>

namespace cowtrace::process {

struct ZeroFrames {
  std::uint64_t page = 0;       // 0: this kernel shows none
  std::uint64_t huge_page = 0;  // the first of 512; 0: this kernel shows none
};

// Found with pages of our own: two that were only read have the same frame exactly if it is the
// zero page's.
[[nodiscard]] ZeroFrames find_zero_frames();

}  // namespace cowtrace::process
