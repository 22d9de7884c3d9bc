// SPDX-License-Identifier: Apache-2.0
// The complete list of pages, one entry a process and page, made one at a time: never a million of
// them in memory.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "analysis/counts.h"
#include "analysis/report.h"
#include "model/session.h"

namespace cowtrace::analysis {

// Who wrote, when it was not the process that owns the memory (vfork, CLONE_VM, a remote writer).
struct Actor {
  std::int32_t pid = 0;
  std::string_view command;  // empty: not of the family
};

// `written`, frames, cause, phase, mapping, object and actor are those of the last break, or of the
// last event if none was one.
struct PageRow {
  model::ProcessKey process;
  std::int32_t pid = 0;
  std::uint64_t address = 0;
  std::uint64_t size = 0;
  std::uint64_t breaks = 0;
  ByMechanism by_mechanism{};
  model::Cause cause = model::Cause::Unknown;
  std::optional<model::Phase> phase;        // none: not known
  std::uint64_t first_ns = 0, last_ns = 0;  // of all events, since capture started
  std::uint64_t written = 0;
  std::uint64_t old_frame = 0, new_frame = 0;  // 0: not known
  std::string_view mapping;                    // empty: not known
  std::optional<ObjectId> object;
  std::vector<ObjectId> neighbours;  // ascending
  std::optional<Actor> actor;
};

// By process and address. What a row refers to lives only during its callback.
void for_each_page(const Report& report, const std::function<void(const PageRow&)>& callback);

}  // namespace cowtrace::analysis
