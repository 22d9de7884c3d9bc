// SPDX-License-Identifier: Apache-2.0
// What a live view shows of a running capture at one moment, and what it asks for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analysis/counts.h"
#include "model/objects.h"
#include "model/session.h"

namespace cowtrace::analysis {

enum class LiveOrder : std::uint8_t { Copied, Breaks, Rate, Name };

// Rows by their ids; what is set has to agree. Nothing set: everything.
struct LiveFilter {
  std::optional<std::uint32_t> process, object, type, site, cause;

  [[nodiscard]] bool empty() const { return *this == LiveFilter(); }
  friend bool operator==(const LiveFilter&, const LiveFilter&) = default;
};

struct LiveRequest {
  LiveFilter filter;
  LiveOrder order = LiveOrder::Copied;
  std::size_t rows = 50;  // of each table

  friend bool operator==(const LiveRequest&, const LiveRequest&) = default;
};

// One line of a table. `id` stays the same as long as the capture runs.
struct LiveRow {
  std::uint32_t id = 0;
  BreakCount count;
  BreakCount recent;  // in the last window
  std::optional<model::Cause>
      main_cause;  // of most of what was copied; none while no break of it has a name
};

struct LiveProcess : LiveRow {
  std::int32_t pid = 0;
  std::string command;  // untrusted
  std::optional<std::uint64_t> inherited_bytes;
  std::optional<std::uint64_t>
      shared_bytes;  // still; while it lives an upper bound: what it inherited less what it copied
  bool ended = false;
};

struct LiveObject : LiveRow {
  std::string name, type;  // untrusted
  model::ObjectKind kind = model::ObjectKind::Mapping;
};

struct LiveType : LiveRow {
  std::string name;           // untrusted
  std::uint64_t objects = 0;  // rows of the table of objects that have it
};

struct LiveSite : LiveRow {
  model::StackHash stack;  // as in SiteSummary, and the two below
  model::SpaceId space;
  std::uint64_t ip = 0;
  std::uint64_t time_ns = 0;
  bool pending = true;  // its stack frames are not named yet
  std::vector<model::StackFrame> frames;
};

template <typename Row>
struct LiveRows {
  std::vector<Row> rows;  // in the order that was asked for, as many as were asked for
  std::size_t all = 0;    // there are so many
};

struct LiveSnapshot {
  LiveRequest request;  // that it answers
  std::uint64_t elapsed_ns = 0;
  std::uint64_t window_ns = 0;  // that `recent` speaks of; 0: there was none yet
  LiveRow total;                // of everything
  LiveRow shown;                // of what passes the filter
  std::uint64_t named = 0;  // breaks whose object and cause are known: only they are in the tables
                            // of objects, types and causes
  std::uint64_t pending = 0;      // breaks that wait for that
  std::uint64_t unnamed = 0;      // breaks that came too fast to be named
  std::uint64_t lost_events = 0;  // breaks among others, of which only the number is known
  std::size_t processes_alive = 0;
  std::string ended;  // the capture has: why
  LiveRows<LiveProcess> processes;
  LiveRows<LiveObject> objects;
  LiveRows<LiveType> types;
  LiveRows<LiveSite> sites;
  LiveRows<LiveRow> causes;  // ids are model::Cause
};

}  // namespace cowtrace::analysis
