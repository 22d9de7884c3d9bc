// SPDX-License-Identifier: Apache-2.0
#include "capture/lanes.h"

#include <sys/mman.h>

#include <cerrno>

namespace cowtrace::capture {

Result<Lanes> Lanes::map(int fd, std::size_t count) {
  void* memory = mmap(nullptr, count * sizeof(cowtrace_lane), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return fail_errno("cannot map the lanes", errno);
  Lanes lanes;
  lanes.lanes_ = static_cast<cowtrace_lane*>(memory);
  lanes.count_ = count;
  return lanes;
}

Lanes::~Lanes() {
  if (lanes_ != nullptr) munmap(lanes_, count_ * sizeof(cowtrace_lane));
}

}  // namespace cowtrace::capture
