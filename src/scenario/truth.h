// SPDX-License-Identifier: Apache-2.0
// What really happened, as the page tables of the processes themselves say, and the JSON file that
// holds it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scenario/cost.h"
#include "scenario/failure.h"

namespace scenario {

inline constexpr std::uint64_t kPageSize = 4096;

enum class Role : std::uint8_t { Parent, Child, Grandchild };
std::string_view name(Role role);

struct Region {
  std::uint64_t start = 0;
  std::uint64_t size = 0;  // bytes, whole pages
};

// What the kernel answered to a write, as frames before and after tell it (trial.h).
enum class Mechanism : std::uint8_t {
  Copy,
  Reuse,
  ZeroFill,
  FileCopy,
  HugeSplit,
  HugetlbCopy,
  HugeZeroFill,
  KsmCopy,
  Unshare,
  ForkCopy,
};
std::string_view name(Mechanism mechanism);

using Breaks = std::map<Mechanism, std::vector<std::uint64_t>>;  // page addresses, ascending

// Another process that wrote.
struct Actor {
  pid_t pid = 0;
  std::string command;
};

struct ProcessTruth {
  pid_t pid = 0;
  Role role = Role::Child;
  std::uint64_t wrote = 0;            // pages of the regions
  std::uint64_t expected_copies = 0;  // pages
  Cost cost;                          // of its steps
  std::vector<std::uint64_t> copied;  // page addresses, ascending; empty where nothing was measured
  std::optional<Breaks> breaks;  // of pages in the regions; what it does not name did not break
  std::vector<std::uint64_t> first_writes;  // pages of `breaks` that nobody had mapped before
  std::optional<Actor> actor;               // of all breaks here
};

struct Truth {
  std::string scenario;
  bool measured = false;
  bool no_exception = false;  // the writes raise no page-fault exception: get_user_pages makes them
  bool from_swap = false;     // the pages that are written were swapped out
  std::vector<Region> regions;
  std::vector<ProcessTruth> processes;
};

// Fails if a process copied another number of pages than expected.
Result<void> check(const Truth& truth);

// Written beside `path` and renamed, so that a reader never sees half a truth (a path that is no
// regular file is written in place).
Result<void> write_json(const Truth& truth, const std::string& path);

// One line a process for people.
std::string describe(const Truth& truth);

}  // namespace scenario
