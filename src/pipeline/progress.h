// SPDX-License-Identifier: Apache-2.0
// The line that shows a long command's progress on standard error, and is gone at the end.
#pragma once

#include <cstdint>

namespace cowtrace::pipeline {

class Progress {
 public:
  // Shows nothing unless standard error is a terminal and `wanted`.
  explicit Progress(bool wanted);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }

  // elapsed since the start, breaks and bytes copied so far; draws at most twice a second, from the first second on.
  void update(std::uint64_t elapsed_ns, std::uint64_t breaks, std::uint64_t copied_bytes);
  void clear();

 private:
  bool enabled_;
  bool shown_ = false;
  std::uint64_t last_ns_ = 0;
  std::uint64_t last_breaks_ = 0;
};

}  // namespace cowtrace::pipeline
