// SPDX-License-Identifier: Apache-2.0
#include "capture/kernel_version.h"

#include <sys/utsname.h>

#include <cstdio>

namespace cowtrace::capture {

std::pair<int, int> kernel_version() {
  utsname system{};
  int major = 0, minor = 0;
  if (uname(&system) != 0 || std::sscanf(system.release, "%d.%d", &major, &minor) != 2)
    return {0, 0};
  return {major, minor};
}

}  // namespace cowtrace::capture
