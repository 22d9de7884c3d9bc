// SPDX-License-Identifier: Apache-2.0
// The physical frames behind this process's own pages, from /proc/self/pagemap; reading it touches
// none of them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "scenario/failure.h"
#include "scenario/truth.h"

namespace scenario {

// Calls visit(index of the page in all regions, frame) for every page of `regions`. `block` is the
// caller's scratch space. Fails if a page is not present, 77 if this user may not see frames.
Result<void> visit_frames(std::span<const Region> regions, std::span<std::uint64_t> block,
                          const std::function<void(std::uint64_t, std::uint64_t)>& visit);

// One page of this process, as /proc/self/pagemap and /proc/kpageflags show it.
struct PageState {
  std::uint64_t frame = 0;  // 0: not present
  bool swapped = false;
  std::uint64_t flags = 0;  // of the frame: 1 << KPF_*, linux/kernel-page-flags.h

  [[nodiscard]] bool has(unsigned flag) const { return (flags >> flag & 1) != 0; }
};

// Every page of `regions`, in order; touches none of them. 77 if this user may not see frames.
Result<std::vector<PageState>> observe(std::span<const Region> regions);

}  // namespace scenario
