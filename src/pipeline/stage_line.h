// SPDX-License-Identifier: Apache-2.0
// The line on the terminal that says what cowtrace still does when what it traced has ended. It
// comes only when that takes a while, begins a line of its own, and is gone at the end.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace cowtrace::pipeline {

class StageLine {
 public:
  // Shows nothing unless standard error is a terminal and `wanted`.
  explicit StageLine(bool wanted);
  StageLine(const StageLine&) = delete;
  StageLine& operator=(const StageLine&) = delete;
  ~StageLine();

  // `text`: "naming objects"; printable.
  void show(const std::string& text);
  // Others write to the terminal now. The next show() shows it again.
  void clear();

 private:
  void work();
  void draw();
  void wipe();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;  // empty: nothing is to be seen
  bool shown_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

// Whether standard error is a terminal that we may draw on: where standard output goes to another
// program, that one may be a pager.
[[nodiscard]] bool may_draw();

// Whether `pid` may write to the terminal that is our standard error: it is open there, or controls
// it. Also true where that cannot be read of a process that lives.
[[nodiscard]] bool may_use_our_terminal(pid_t pid);

}  // namespace cowtrace::pipeline
