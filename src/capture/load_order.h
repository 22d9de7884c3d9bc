// SPDX-License-Identifier: Apache-2.0
// In which order BPF programs are tried until some load.
#pragma once

#include <functional>

#include "base/result.h"

namespace cowtrace::capture {

struct LoadTry {
  Status loaded;
  bool another = false;  // not loaded: another try may do better
};

// `features`: how much of what newer kernels have is used. `attempt`: how often hooks that may be
// missing have been left out.
using Load = std::function<LoadTry(int features, int attempt)>;

// Tries `most` features and one less, because the kernel's configuration may lack the newest. Then
// tries both without hooks that may be missing. Ends with the first try that loads, or after which
// no other can. Errors: that of the first try.
[[nodiscard]] Status load_in_order(int most, const Load& load);

}  // namespace cowtrace::capture
