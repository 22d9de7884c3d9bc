// SPDX-License-Identifier: Apache-2.0
// What became of each watched object in each process: still shared, copied, replaced or missing,
// and which write did it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/site_keys.h"
#include "model/facts.h"
#include "model/session.h"

namespace cowtrace::analysis {

// The first break of a page after the fork, or the first write in place (mechanism `reuse`).
struct WatchBreak {
  std::uint64_t t_ns = 0;
  std::uint64_t address = 0;  // what was written
  std::int32_t pid = 0;       // who wrote
  model::Mechanism mechanism = model::Mechanism::Copy;
  model::Cause cause = model::Cause::Unknown;
  std::string object;  // what was written: its name; untrusted; empty if not known
  std::string field;   // of it; untrusted
  StackPlace at;       // of `stack`
  std::vector<model::StackFrame> stack;
};

// The word that refers to the object.
struct WatchSlot {
  enum class State { Shared, Copied, Moved, Unknown };  // Moved: it is at another address now
  std::string place;                                    // "entry 'json' of sys.modules"; untrusted
  std::uint64_t address = 0;
  std::uint64_t frame = 0;
  State state = State::Unknown;
  std::optional<WatchBreak> break_of_page;
  std::optional<WatchBreak> in_place;  // as WatchSummary has it
};

struct WatchSummary {
  enum class State { Shared, Copied, Replaced, Missing, Unknown };
  // Where it was, and in which frame, when the process was forked or first forked.
  struct AtFork {
    std::uint64_t t_ns = 0;
    std::uint64_t address = 0;
    std::uint64_t frame = 0;
  };
  std::string expression;
  model::ProcessKey process;
  std::int32_t pid = 0;
  State state = State::Unknown;
  std::string reason;  // of anything but Shared and Copied; untrusted
  model::WatchSample::Moment seen = model::WatchSample::Moment::Fork;  // of the last look
  std::uint64_t seen_ns = 0;
  std::uint64_t address = 0;  // 0: missing or not known, as `frame`
  std::uint64_t frame = 0;
  std::string type;                // untrusted
  std::optional<AtFork> at_fork;   // none: it was not there
  std::uint64_t pages = 0;         // that the object lies on
  std::uint64_t copied_pages = 0;  // of these
  std::optional<WatchSlot> slot;
  std::optional<WatchBreak> break_of_page;  // what copied it; of Replaced, the slot's page
  // Of Shared: its page was written and not copied, for nobody else had the frame any more.
  std::optional<WatchBreak> in_place;
};

constexpr std::string_view name(WatchSummary::State state) {
  switch (state) {
    case WatchSummary::State::Shared:
      return "shared";
    case WatchSummary::State::Copied:
      return "copied";
    case WatchSummary::State::Replaced:
      return "replaced";
    case WatchSummary::State::Missing:
      return "missing";
    case WatchSummary::State::Unknown:
      return "unknown";
  }
  return "unknown";
}
constexpr std::string_view name(WatchSlot::State state) {
  switch (state) {
    case WatchSlot::State::Shared:
      return "shared";
    case WatchSlot::State::Copied:
      return "copied";
    case WatchSlot::State::Moved:
      return "moved";
    case WatchSlot::State::Unknown:
      return "unknown";
  }
  return "unknown";
}

// In the order of Session::watches.
[[nodiscard]] std::vector<WatchSummary> watch_summaries(const model::Session& session,
                                                        const model::Facts& facts);
// The stacks that they show.
[[nodiscard]] std::vector<StackPlace> watch_stacks(const model::Session& session);

}  // namespace cowtrace::analysis
