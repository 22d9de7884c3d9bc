// SPDX-License-Identifier: Apache-2.0
// Experiments about one kind of memory: a process looks at its page tables, writes, and looks
// again. Which mechanism answered follows from what was mapped before and whether the frame is
// another one.
#pragma once

#include <functional>
#include <vector>

#include "scenario/experiment.h"
#include "scenario/failure.h"
#include "scenario/truth.h"

namespace scenario {

struct Trial {
  bool measure = false;  // --truth
  std::vector<Region> regions;
  bool private_file = false;    // a write to an absent page copies the file's
  bool write_protected = true;  // a written page that keeps its frame was protected: it is reused
};

// Does the writes and gives the address of one of them for each page written.
using Written = std::vector<std::uint64_t>;
using Writing = std::function<Result<Written>()>;

// In this process: look, act, look. Fails when a page that nobody wrote has moved.
Result<ProcessTruth> watch(const Trial& trial, Role role, const Writing& act);

// Forks a child that does `body`, waits for its end, and brings back what it found.
Result<ProcessTruth> in_child(const std::function<Result<ProcessTruth>()>& body);

// A child that watches itself act.
Result<ProcessTruth> watch_child(const Trial& trial, const Writing& act);

// What a trial's processes found, as a truth.
Truth truth_of(const Options& options, const Trial& trial, std::vector<ProcessTruth> processes);

// The experiment's own expectation: exactly `count` pages of `mechanism`.
Result<void> expect(const ProcessTruth& process, Mechanism mechanism, std::uint64_t count);

// The experiment's own expectation: no page broke.
Result<void> expect_nothing(const ProcessTruth& process);

// Stores one word on every page, at an offset that differs from page to page, and nothing else.
void store_each_page(Region region);

// A Writing that does this.
Writing write_each_page(Region region);
Writing write_each_page(std::vector<Region> regions);

// The addresses of a region's pages: what a Writing answers that wrote them all.
Written pages_of(Region region);

// Reads one word of every page; their sum.
std::uint64_t read_each_page(Region region);

}  // namespace scenario
