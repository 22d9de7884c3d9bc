// SPDX-License-Identifier: Apache-2.0
#include "capture/lanes.h"

#include <utility>

namespace cowtrace::capture {

Result<Lanes> Lanes::map(int fd, std::size_t count) {
  auto mapped = MappedArray<cowtrace_lane>::map(fd, count, "the lanes");
  if (!mapped) return tl::unexpected(mapped.error());
  Lanes lanes;
  lanes.lanes_ = std::move(*mapped);
  return lanes;
}

}  // namespace cowtrace::capture
