// SPDX-License-Identifier: Apache-2.0
// What every experiment is: a row of the table, and a function from Options to a Truth. Most of
// them only state who writes when and hand that Script to play(); one that needs another shape of
// family builds its Truth itself.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "scenario/failure.h"
#include "scenario/ground.h"
#include "scenario/truth.h"

namespace scenario {

struct Options {
  std::string_view name;  // of the experiment
  std::uint64_t pages = 0;
  std::uint64_t children = 0;
  bool measure = false;  // compare page tables (--truth)
};

// What one process does in one step, on its own view of the ground. Returns the number of pages of
// the regions it wrote.
using Act = Result<std::uint64_t> (*)(const Ground&);

// All processes of `role` act at once; the others wait. No process ends before the last step is
// over and measured.
struct Step {
  Role role;
  Act act;
  bool copies;  // the kernel must give each of these processes a frame of its own for every page it
                // wrote
};

struct Script {
  bool grandchildren = false;  // each child forks one process
  std::vector<Step> steps;
};

// Forks the family, performs the script, measures and checks that what was copied is what the
// script says.
Result<Truth> play(const Options& options, const Script& script);

using Run = Result<Truth>(const Options&);

struct Experiment {
  std::string_view name;
  std::string_view what;    // it does
  std::string_view kernel;  // does for it
  Run* run;
  std::uint64_t default_pages = 1000;
  std::uint64_t default_children = 2;
};

std::span<const Experiment> experiments();

}  // namespace scenario
