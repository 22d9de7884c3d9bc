// SPDX-License-Identifier: Apache-2.0
#include "process/page_flags.h"

#include <fcntl.h>
#include <unistd.h>

namespace cowtrace::process {

PageFlags::PageFlags() : file_(open("/proc/kpageflags", O_RDONLY | O_CLOEXEC)) {}

std::uint64_t PageFlags::of(std::uint64_t frame) const {
  std::uint64_t flags = 0;
  if (!file_ || frame == 0) return 0;
  const auto place = static_cast<off_t>(frame * sizeof(flags));
  return pread(file_.get(), &flags, sizeof(flags), place) == sizeof(flags) ? flags : 0;
}

}  // namespace cowtrace::process
