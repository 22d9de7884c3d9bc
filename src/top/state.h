// SPDX-License-Identifier: Apache-2.0
// What a person has chosen to see, and what each key does to that: no terminal, no time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "analysis/live_snapshot.h"

namespace cowtrace::top {

enum class Tab : std::uint8_t { Overview, Processes, Objects, Types, Sites, Causes };
inline constexpr std::size_t kTabs = 6;

enum class Key : std::uint8_t {
  None,
  Up,
  Down,
  PageUp,
  PageDown,
  First,
  Last,
  NextTab,
  PreviousTab,
  Enter,
  Back,
  Sort,
  Pause,
  Help,
  Quit,
  Tab1,
  Tab2,
  Tab3,
  Tab4,
  Tab5,
  Tab6  // in the order of Tab
};

struct State {
  // One step of drilling down.
  struct Step {
    analysis::LiveFilter filter;  // before it
    Tab tab = Tab::Overview;      // where it was taken
    std::size_t selected = 0;
    std::string label;  // of the row; printable
  };

  Tab tab = Tab::Overview;
  std::size_t selected = 0;  // row of the table; not of the overview
  analysis::LiveFilter filter;
  analysis::LiveOrder order = analysis::LiveOrder::Copied;
  std::vector<Step> steps;
  bool paused = false;
  bool help = false;
  bool quit = false;

  // What a snapshot should hold for this, when a table has room for `rows`.
  [[nodiscard]] analysis::LiveRequest request(std::size_t rows) const;
};

// `snapshot` is what is on the screen, whose tables have room for `rows`.
void press(State& state, Key key, const analysis::LiveSnapshot& snapshot, std::size_t rows);

// Rows of the table that `tab` shows.
[[nodiscard]] std::size_t rows_of(const analysis::LiveSnapshot& snapshot, Tab tab);

}  // namespace cowtrace::top
