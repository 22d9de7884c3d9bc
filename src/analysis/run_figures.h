// SPDX-License-Identifier: Apache-2.0
// What one run comes to, under names that mean the same in another run: no pids, addresses or ids.
// Pure, and free of the run's Session, so that many runs can be held against each other.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "analysis/summary.h"
#include "model/objects.h"
#include "model/session.h"

namespace cowtrace::analysis {

// The lists of a comparison.
enum class Section : std::uint8_t {
  Mechanisms,
  Causes,
  Objects,
  Types,
  Sites,
  Mappings,
  Roles,
  Phases
};
inline constexpr std::size_t kSections = 8;

// What a row is about. Untrusted, but for mechanisms, causes and phases.
struct RowName {
  std::string name;  // mechanism, cause, phase, object, type, mapping or command; empty: not known
  std::string type;  // of an object
  std::string kind;  // model::name(ObjectKind) of objects and types
  std::uint32_t generation =
      0;  // of a role: 0 for what nobody of the family forked, 1 for its children, and so on
  std::vector<model::StackFrame>
      stack;  // of a site, innermost first: functions, files, lines, modules; no addresses
};

struct RowNameOrder {
  bool operator()(const RowName& a, const RowName& b) const;
};

struct Figures {
  std::uint64_t breaks = 0;  // of mechanisms: how often
  std::uint64_t bytes = 0;   // copied; of mechanisms that are no breaks: given
  std::uint64_t items = 0;   // objects or processes of that name

  void add(const Figures& other) {
    breaks += other.breaks;
    bytes += other.bytes;
    items += other.items;
  }
};

using Rows = std::map<RowName, Figures, RowNameOrder>;

struct RunFigures {
  std::string trace;  // what the run is called: its file
  bool complete = true;
  model::CaptureInfo capture;
  std::set<std::string> pythons;  // versions of CPython in its processes
  std::uint64_t processes = 0;
  std::uint64_t breaks = 0;
  std::uint64_t copied_bytes = 0;
  std::uint64_t unexplained_pages = 0;  // of all audits
  std::optional<std::uint64_t> inherited_bytes, still_shared_bytes;
  std::array<Rows, kSections> rows;
  std::map<std::string, std::optional<std::uint64_t>> advice;  // by id: what it saves at most

  [[nodiscard]] Rows& of(Section section) { return rows[static_cast<std::size_t>(section)]; }
  [[nodiscard]] const Rows& of(Section section) const {
    return rows[static_cast<std::size_t>(section)];
  }
};

// `summary` is join()'s of the same session and resolver.
[[nodiscard]] RunFigures figures_of(const Summary& summary);

}  // namespace cowtrace::analysis
