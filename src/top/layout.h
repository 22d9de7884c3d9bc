// SPDX-License-Identifier: Apache-2.0
// The screen as lines of text: a pure function of what is known, what was chosen and how much room
// there is.
//
//   cowtrace top: python3 server.py                                          12.3 s
//   1,003 breaks/s  3.9 MiB/s copied  total 12,034 breaks, 47.0 MiB  3 processes
//   [overview]  processes  objects  types  sites  causes              by copied
//   Causes: refcount 81%, value 19%
//   ...
//   tab table  enter in  back out  s sort  p pause  h help  q leave
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "analysis/live_snapshot.h"
#include "top/state.h"

namespace cowtrace::top {

enum class Style : std::uint8_t { Plain, Bold, Faint, Warning, Selected };

struct Line {
  std::string text;  // printable, at most as wide as the screen
  Style style = Style::Plain;
};

struct Size {
  std::size_t columns = 80, rows = 24;
};

// `command` as it was given; untrusted. `said`: a line about the capture itself, which stands in
// the place of the keys; empty: none. Exactly as many lines as there are rows.
[[nodiscard]] std::vector<Line> layout(const analysis::LiveSnapshot& snapshot, const State& state,
                                       const std::string& command, const std::string& said,
                                       Size size);

// Rows of a table that has the screen for itself.
[[nodiscard]] std::size_t table_rows(Size size);

}  // namespace cowtrace::top
