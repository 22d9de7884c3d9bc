// SPDX-License-Identifier: Apache-2.0
// Where a running capture is shown. All of it is called by the thread that takes the events in, and
// never makes it wait for a terminal, but for suspend() and close().
#pragma once

#include <memory>
#include <string>

#include "analysis/live_snapshot.h"
#include "base/result.h"

namespace cowtrace::top {

using Snapshot = std::shared_ptr<const analysis::LiveSnapshot>;

class View {
 public:
  virtual ~View() = default;

  // From now on something may be shown.
  virtual Status open() { return {}; }
  // What the next snapshot should hold. It changes with what a person does.
  [[nodiscard]] virtual analysis::LiveRequest request() = 0;
  virtual void show(Snapshot snapshot) = 0;
  // One line about the capture itself, not for ever.
  virtual void say(const std::string& text) = 0;
  // A person has had enough.
  [[nodiscard]] virtual bool left() { return false; }
  // Readable when request() or left() may have changed; -1: they never do.
  [[nodiscard]] virtual int changed_fd() { return -1; }
  // Whether the view has the terminal for itself: nobody else may write to it until close().
  [[nodiscard]] virtual bool owns_terminal() { return false; }
  virtual void resized() {}
  // The whole program is about to be stopped; it goes on.
  virtual void suspend() {}
  virtual void resume() {}
  // Nothing is shown any more, and the terminal is as it was.
  virtual void close() {}
};

}  // namespace cowtrace::top
