// SPDX-License-Identifier: Apache-2.0
// The line that shows on standard error how processes get on that were attached to, and is gone at
// the end. A command of ours has the same terminal, and the line would be drawn over what it
// writes: it has none.
#pragma once

#include <cstdint>

namespace cowtrace::pipeline {

class Progress {
 public:
  // Shows nothing unless may_draw() and `wanted`.
  explicit Progress(bool wanted);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }

  // elapsed since the start, breaks and bytes copied so far; draws at most twice a second, from the
  // first second on.
  void update(std::uint64_t elapsed_ns, std::uint64_t breaks, std::uint64_t copied_bytes);
  void clear();
  [[nodiscard]] bool enabled() const { return enabled_; }
  // For ever: somebody may write to the terminal.
  void stop();

 private:
  bool enabled_;
  bool shown_ = false;
  std::uint64_t last_ns_ = 0;
  std::uint64_t last_breaks_ = 0;
};

}  // namespace cowtrace::pipeline
