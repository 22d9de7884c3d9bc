// SPDX-License-Identifier: Apache-2.0
// Two sides of one or several runs each, before and after a change: what differs, by how much, and
// what of it is noise. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/run_figures.h"

namespace cowtrace::analysis {

// A figure in the runs of one side.
struct Spread {
  std::uint64_t median =
      0;  // of an even number of runs: half-way between the two in the middle, rounded down
  std::uint64_t least = 0, most = 0;

  friend bool operator==(const Spread&, const Spread&) = default;
};
[[nodiscard]] Spread spread_of(std::vector<std::uint64_t> values);  // not empty

// A figure on both sides. A row that a run has not is 0 there.
struct Change {
  Spread before, after;
  std::int64_t difference = 0;  // of the medians, after less before
  std::optional<bool> noise;    // none: it cannot be told
};

// With fewer runs on a side nothing can be said about noise.
inline constexpr std::size_t kRunsForNoise = 2;
// The rule. Three runs a side of the same program, whose figures scatter normally, break it for
// about one row in a hundred; two, for one in eleven. (That the ranges overlap would be simpler,
// and wrong for every tenth row with three runs.)
inline constexpr std::string_view kNoiseRule =
    "a difference is noise unless the ranges of the two sides (least to most of their runs) are "
    "farther apart than the wider of them is wide";
[[nodiscard]] bool is_noise(const Spread& before, const Spread& after);

struct ChangedRow {
  RowName name;
  Change breaks, bytes, items;  // as in Figures
};

struct AdviceChange {
  std::string id;
  std::uint64_t runs_before = 0, runs_after = 0;    // that gave it
  std::optional<Spread> saves_before, saves_after;  // at most, of those with a bound
};

struct Comparison {
  std::vector<RunFigures> before, after;  // without their rows, which are below
  std::vector<std::string> warnings;      // what makes the sides hard to compare; printable
  bool noise_known = false;
  Change breaks, copied_bytes, processes;
  std::optional<Change> inherited_bytes, still_shared_bytes;  // where all runs know it
  std::array<std::vector<ChangedRow>, kSections>
      rows;  // what is no noise first; by difference in bytes, largest first
  std::vector<AdviceChange> advice;  // by id

  [[nodiscard]] const std::vector<ChangedRow>& of(Section section) const {
    return rows[static_cast<std::size_t>(section)];
  }
};

// Neither side is empty.
[[nodiscard]] Comparison compare(std::vector<RunFigures> before, std::vector<RunFigures> after);

// What is not alike about the two sides, and what is missing from a run. One sentence each, the
// worst first.
[[nodiscard]] std::vector<std::string> comparability_warnings(const std::vector<RunFigures>& before,
                                                              const std::vector<RunFigures>& after);

// Gives sites that are not on both sides the same name where they differ in nothing but lines, and
// then where they differ in nothing but lines and files: a line that was added to a file moves all
// that follow it, and a release may have a directory of its own. Lines and files that are no longer
// the same are 0 and empty then.
void match_moved_code(std::vector<RunFigures>& before, std::vector<RunFigures>& after);

}  // namespace cowtrace::analysis
