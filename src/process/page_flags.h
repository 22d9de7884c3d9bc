// SPDX-License-Identifier: Apache-2.0
// What the kernel says about a page frame: /proc/kpageflags
// (Documentation/admin-guide/mm/pagemap.rst).
#pragma once

#include <cstdint>

#include "base/fd.h"

namespace cowtrace::process {

class PageFlags {
 public:
  PageFlags();

  // KPF_* bits as 1 << number. 0: not known.
  [[nodiscard]] std::uint64_t of(std::uint64_t frame) const;

  static constexpr std::uint64_t kHuge = std::uint64_t{1}
                                         << 22;  // KPF_THP: part of a transparent huge page
  static constexpr std::uint64_t kLocked = std::uint64_t{1} << 33;  // KPF_MLOCKED

 private:
  Fd file_;  // none: the kernel has no such file
};

}  // namespace cowtrace::process
