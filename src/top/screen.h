// SPDX-License-Identifier: Apache-2.0
// The view on a terminal, drawn with ncurses by a thread of its own: a terminal that takes nothing
// (a stalled connection, Ctrl-S) holds nobody up but who looks at it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/fd.h"
#include "top/layout.h"
#include "top/state.h"
#include "top/view.h"

namespace cowtrace::top {

class Screen final : public View {
 public:
  // `command` as it was given. Standard output is the terminal; keys come from standard input if
  // that is one, or else from /dev/tty.
  Screen(std::string command, bool color);
  ~Screen() override;

  // Whether standard output is a terminal that ncurses knows.
  [[nodiscard]] static bool possible();

  Status open() override;
  [[nodiscard]] analysis::LiveRequest request() override;
  void show(Snapshot snapshot) override;
  void say(const std::string& text) override;
  [[nodiscard]] bool left() override { return left_; }
  [[nodiscard]] int changed_fd() override { return changed_.get(); }
  [[nodiscard]] bool owns_terminal() override { return true; }
  void resized() override;
  void suspend() override { ask_for(Mode::Suspended); }
  void resume() override { ask_for(Mode::Shown); }
  void close() override;

 private:
  enum class Mode : std::uint8_t { Shown, Suspended, Closed };
  class Terminal;
  struct TerminalDeleter {
    void operator()(Terminal* terminal) const;
  };

  void ask_for(Mode mode);
  void work();
  bool press_keys();
  void pick(std::unique_lock<std::mutex>& lock);

  std::string command_;
  bool color_;
  std::unique_ptr<Terminal, TerminalDeleter> terminal_;
  Fd wake_;     // of the thread
  Fd changed_;  // of who asks for request()
  std::atomic<bool> left_ = false;

  std::mutex mutex_;  // of what follows
  std::condition_variable reached_;
  State state_;
  Size size_;
  Snapshot newest_, shown_;
  std::string said_;
  std::uint64_t said_until_ns_ = 0;
  Mode wanted_ = Mode::Shown, mode_ = Mode::Shown;

  std::thread thread_;
};

}  // namespace cowtrace::top
