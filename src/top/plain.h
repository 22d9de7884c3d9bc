// SPDX-License-Identifier: Apache-2.0
// The view where there is no terminal: a line a second.
#pragma once

#include <cstdio>
#include <string>

#include "top/view.h"

namespace cowtrace::top {

// One line:
//   cowtrace:    3.00 s  1,003 breaks/s  3.9 MiB/s copied  total 3,010 breaks, 11.8 MiB
//   3 processes  refcount  app.DATA[...]  main (app.py:12)
[[nodiscard]] std::string plain_line(const analysis::LiveSnapshot& snapshot);

class PlainLines final : public View {
 public:
  explicit PlainLines(FILE* out) : out_(out) {}

  [[nodiscard]] analysis::LiveRequest request() override { return {}; }
  void show(Snapshot snapshot) override;
  void say(const std::string& text) override;
  [[nodiscard]] bool left() override { return left_; }

 private:
  FILE* out_;
  std::uint64_t printed_ns_ = 0;
  bool begun_ = false;
  bool left_ = false;
};

}  // namespace cowtrace::top
