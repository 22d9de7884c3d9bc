// SPDX-License-Identifier: Apache-2.0
// What this kernel and this user can do, found by trying.
#pragma once

#include <string>
#include <vector>

namespace cowtrace::capture {

struct Check {
  enum class State { Good, Limited, Bad };
  std::string name;
  State state = State::Good;
  std::string found;   // what is there
  std::string remedy;  // what to do, empty if nothing
};

struct BackendCheck {
  std::string name;
  bool usable = false;
  std::string why_not;
  std::vector<std::string> blind_spots;
  bool reads_mappings = false;  // where it is usable
};

struct Probe {
  std::vector<Check> checks;
  std::vector<BackendCheck> backends;
  [[nodiscard]] bool any_backend() const;
};

// Loads and unloads BPF programs; takes some tenths of a second.
Probe probe();

}  // namespace cowtrace::capture
