// SPDX-License-Identifier: Apache-2.0
// What an advice looks at, what it answers, and what all of them need to say so.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/summary.h"
#include "model/session.h"

namespace cowtrace::analysis {

struct Evidence {
  const Summary& summary;
  const model::Session& session;

  // Is it enough to bother anybody with? At least 256 KiB, and a twentieth of all that was copied.
  [[nodiscard]] bool is_worth_it(std::uint64_t bytes) const;
  // Of all breaks with that cause, those that were not made while a program ended.
  [[nodiscard]] BreakCount at_work(model::Cause cause) const;
  // It has memory of another process of the family.
  [[nodiscard]] bool was_forked(model::ProcessKey process) const;
  // How many of `processes` were forked.
  [[nodiscard]] std::size_t forked(const std::vector<model::ProcessKey>& processes) const;
  // Did multiprocessing's fork server make processes of the family? It runs no line of the program
  // but the modules that set_forkserver_preload() names.
  [[nodiscard]] bool has_fork_server() const;
  // How often the process that forked most did so.
  [[nodiscard]] std::size_t most_forks() const;
};

// Is a CPython of this version ("3.11.2") of the minor version or a later one? False if it is no
// version of CPython 3.
[[nodiscard]] bool is_since(std::string_view version, int minor);

struct Finding {
  std::string text;
  std::optional<std::uint64_t> saves_at_most_bytes;
};

inline const BreakCount& of_cause(const ByCause& by_cause, model::Cause cause) {
  return by_cause[static_cast<std::size_t>(cause)];
}

// "1 page", "2,006 pages".
[[nodiscard]] std::string counted(std::uint64_t count, std::string_view one, std::string_view many);

// Something of the traced program with a name, and what it cost.
struct NamedCost {
  std::string name;  // untrusted
  BreakCount cost;
};
// The costliest of them, made printable and short: "myapp.A, myapp.B and 4 more". Sorts `costs`.
[[nodiscard]] std::string costliest(std::vector<NamedCost>& costs);

// `myapp.ROWS` of `myapp.ROWS[...].name`; empty if it is no part of a large container.
[[nodiscard]] std::string_view container_of(std::string_view group);

}  // namespace cowtrace::analysis
