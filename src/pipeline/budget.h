// SPDX-License-Identifier: Apache-2.0
// How much may be copied, and whether it was more: --max-copied and --max-copied-per-process.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "analysis/summary.h"

namespace cowtrace::pipeline {

struct Budget {
  std::optional<std::uint64_t> family;   // bytes, of all processes together
  std::optional<std::uint64_t> process;  // of each of them
  [[nodiscard]] bool is_set() const { return family || process; }
};

struct Verdict {
  bool exceeded = false;
  std::string line;  // one line, without its end
};

// Bytes are the kernel's own counts: also of breaks whose events were lost.
[[nodiscard]] Verdict judge(const Budget& budget, const analysis::Summary& summary);

}  // namespace cowtrace::pipeline
