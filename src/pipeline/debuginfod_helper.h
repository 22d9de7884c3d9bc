// SPDX-License-Identifier: Apache-2.0
// The process that asks debuginfod's servers, so that what talks to the network has none of our
// privileges and none of our memory. It asks through elfutils' libdebuginfod, which it loads when
// it is asked for the first file: cowtrace is not linked with it, and runs where it is not
// installed.
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace cowtrace::pipeline {

struct HelperOptions {
  std::string library = "libdebuginfod.so.1";
  std::uint64_t most_bytes = 0;  // of a file; what is longer is never written
};

// Starts it as who called sudo, or as nobody, and never with a capability; it ends when the other
// end of the socket, which is returned, does. What it says is in debuginfod_wire.h. Before there
// are threads. Errors: this machine has no process or socket left.
[[nodiscard]] Result<Fd> start_debuginfod_helper(const HelperOptions& options);

}  // namespace cowtrace::pipeline
