// SPDX-License-Identifier: Apache-2.0
// Experiments about one kind of memory: a process looks at its page tables, writes, and looks
// again. Which mechanism answered follows from what was mapped before and whether the frame is
// another one.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "scenario/experiment.h"
#include "scenario/failure.h"
#include "scenario/frames.h"
#include "scenario/huge.h"
#include "scenario/truth.h"

namespace scenario {

// What may happen to the pages that are acted on.
enum class Touch : std::uint8_t {
  Write,
  ReadPin,  // they are read, by get_user_pages
  Fork,     // they are inherited: "before" is the parent's view, "after" the child's
};

struct Trial {
  bool measure = false;  // --truth
  std::vector<Region> regions;
  bool private_file = false;    // a write to an absent page copies the file's
  bool write_protected = true;  // a written page that keeps its frame was protected: it is reused
  bool merged = false;          // by KSM: each page has the frame of another one
  bool huge = false;            // each region is a mapping of its own for one huge page (huge.h)
  Touch touch = Touch::Write;
};

// How the regions are mapped.
struct Look {
  std::vector<PageState> pages;  // of all regions, in order
  std::vector<Entry> entries;    // a region, of a trial with huge pages
};
Result<Look> look(const Trial& trial);  // empty if nothing is to be measured

// Does the writes (or what else touches pages) and gives the address of one of them for each page
// written.
using Written = std::vector<std::uint64_t>;
using Writing = std::function<Result<Written>()>;

// What became of this process's pages since `before`. Fails when a page that nobody wrote has
// moved.
Result<ProcessTruth> compare(const Trial& trial, Role role, const Look& before,
                             const Written& written);

// In this process: look, act, look.
Result<ProcessTruth> watch(const Trial& trial, Role role, const Writing& act);

// The same while another process named `command` acts on this one; `act` runs there, with this
// one's pid, and gives 0 or an errno. It reaches one address on each page of the regions.
Result<ProcessTruth> watch_actor(const Trial& trial, const char* command,
                                 const std::function<int(pid_t)>& act);

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

// The address on each page that it writes.
Written each_page(Region region);

// The addresses of a region's pages: what a Writing answers that wrote them all.
Written pages_of(Region region);

// Reads one word of every page; their sum.
std::uint64_t read_each_page(Region region);

}  // namespace scenario
