// SPDX-License-Identifier: Apache-2.0
// What reports print: everything the join found, aggregated. The pages themselves are not here:
// for_each_page (pages.h) makes them one at a time. All times are nanoseconds since capture
// started.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "analysis/counts.h"
#include "analysis/mixed_stack.h"
#include "analysis/object_index.h"
#include "analysis/site_keys.h"
#include "analysis/watches.h"
#include "model/session.h"

namespace cowtrace::analysis {

class SiteFrames;

struct Latency {
  std::uint64_t p50 = 0, p99 = 0, max = 0;
};

struct MechanismSummary {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  std::optional<Latency> latency;  // none without a single event whose completion was seen in time
};

struct Totals {
  std::uint64_t breaks = 0;
  std::uint64_t copied_bytes = 0;
  // What the instructions that broke pages stored, as far as it is known: not by the kernel, of
  // string instructions one element.
  std::optional<std::uint64_t> written_bytes;
  std::optional<std::uint64_t> inherited_bytes;
  std::optional<std::uint64_t> still_shared_bytes;
  std::array<MechanismSummary, model::kMechanismNumbers> by_mechanism{};
  ByCause by_cause{};  // breaks without detail count as unknown, so that the sum is `breaks`
  std::optional<ByPhase> by_phase;  // without breaks that have no detail; none: not known
  ByCause ending_by_cause{};        // of by_cause, those of Phase::Ending

  // What was copied while programs ended; 0 where that is not known.
  [[nodiscard]] std::uint64_t ending_bytes() const {
    return by_phase ? (*by_phase)[static_cast<std::size_t>(model::Phase::Ending)].bytes : 0;
  }
};

struct ProcessSummary {
  model::ProcessKey process;
  std::int32_t pid = 0;
  std::optional<model::ProcessKey> parent, forked_from;
  bool started_by_exec =
      false;            // the program that it ran last: nothing of its memory was anybody's before
  std::string command;  // untrusted
  std::string python;   // as model::Process has it
  std::uint64_t start_ns = 0;
  std::optional<std::uint64_t> exit_ns, fork_ns;
  std::vector<std::uint64_t> exec_ns;         // when it began to execute another program
  std::optional<std::uint32_t> wait_status;   // as model::Process has it
  std::optional<std::uint64_t> fork_took_ns;  // in the parent
  std::optional<std::uint64_t> inherited_bytes, still_shared_bytes;
  std::uint64_t breaks = 0;
  std::uint64_t copied_bytes = 0;
  BreakCount ending;  // of these, while a program ended; as far as it is known
  std::optional<model::Audit> audit;
  std::string audit_missing;
};

// How long a process did nothing because memory is shared: in its forks, and at its breaks.
struct StallSummary {
  // bucket[i]: breaks that took less than kBounds[i], and not less than the bound before; the last
  // is without bound.
  static constexpr std::array<std::uint64_t, 20> kBounds = {
      1'000,      2'000,       5'000,       10'000,      20'000,        50'000,       100'000,
      200'000,    500'000,     1'000'000,   2'000'000,   5'000'000,     10'000'000,   20'000'000,
      50'000'000, 100'000'000, 200'000'000, 500'000'000, 1'000'000'000, 2'000'000'000};
  model::ProcessKey process;
  std::uint64_t forks = 0;  // that copied its memory's tables, and took a known time
  std::uint64_t fork_total_ns = 0, fork_max_ns = 0;
  std::uint64_t breaks = 0;  // whose completion was seen in time
  std::uint64_t break_total_ns = 0;
  std::optional<Latency> latency;  // of these
  std::array<std::uint64_t, kBounds.size() + 1> bucket{};
};

struct ObjectSummary {
  ObjectId id;
  model::ObjectKind kind = model::ObjectKind::Mapping;
  std::string name, type;  // untrusted
  std::string group;       // as model::Object has it, and its items
  std::uint64_t group_items = 0;
  std::uint64_t address = 0;
  std::uint64_t size = 0;
  std::uint64_t breaks = 0;  // that wrote it
  std::uint64_t copied_bytes = 0;
  std::optional<std::uint64_t> written_bytes;  // as in Totals
  std::uint64_t neighbour_breaks = 0;          // of its pages, while nobody wrote it there
  ByCause by_cause{};
  SomeCauses ending;  // of by_cause, what was broken while a program ended
  std::map<std::string, std::uint64_t>
      fields;  // breaks by the field that was written, where it is known; untrusted
  std::vector<model::ProcessKey> processes;  // that broke a page of it
  std::vector<model::ProcessKey>
      changers;  // of these, those that changed what it holds (container, value) at work
  bool kept_by_interpreter = false;  // as model::Object has it

  [[nodiscard]] BreakCount ending_total() const {
    BreakCount sum;
    for (const auto& [cause, count] : ending) sum.add(count.breaks, count.bytes);
    return sum;
  }
  // Of one cause, without what was broken while a program ended.
  [[nodiscard]] BreakCount at_work(model::Cause cause) const {
    BreakCount count = by_cause[static_cast<std::size_t>(cause)];
    for (const auto& [which, part] : ending)
      if (which == cause) count = {count.breaks - part.breaks, count.bytes - part.bytes};
    return count;
  }
};

// A stack that broke pages. What a reader cannot tell apart is one site: `stack`, `space` and `ip`
// are those of the costliest stack among all that have the same names, which SiteFrames knows.
struct SiteSummary {
  model::StackHash stack;  // 0: only `ip` is known
  model::SpaceId space;    // where `ip` is to be looked up
  std::uint64_t ip = 0;
  std::uint64_t breaks = 0;
  std::uint64_t copied_bytes = 0;
  ByCause by_cause{};
  BreakCount ending;  // of `breaks`, while a program ended
  BreakCount
      unnamed_refcounts;  // at work: of Python objects that no reference with a name leads to
  BreakCount collector;   // at work: headers of the garbage collector, and whatever else was broken
                          // while it was at work
  std::vector<model::ProcessKey> processes;  // that broke pages here, ascending
  bool truncated = false;  // of one of the stacks the walk ended before the stack did
  NamedStack frames;       // of Summary::stack_frames; empty where JoinOptions::name_sites is not
};

struct MappingSummary {
  std::string label;  // untrusted; empty: the mapping is not known
  std::uint64_t breaks = 0;
  std::uint64_t copied_bytes = 0;
};

// What was broken in [t_ns, t_ns + Summary::timeline_bucket_ns).
struct TimelineRow {
  std::uint64_t t_ns = 0;
  model::ProcessKey process;
  std::uint64_t copied_bytes = 0;
  std::uint64_t breaks = 0;
  std::uint64_t ending_bytes = 0;  // of copied_bytes, while a program ended
};

// What could be done about it, and what that would save at most, as far as this trace tells.
struct Advice {
  std::string id;    // path_of() says more
  std::string text;  // for people; names of the traced program in it are printable
  std::optional<std::uint64_t> saves_at_most_bytes;  // of copies; rows may count the same copies
};
inline std::string path_of(const Advice& advice) {
  return "docs/advice/" + advice.id + ".md";
}

struct Summary {
  Summary(const model::Session& session, const model::Facts& facts)
      : capture(session.capture), site_index(session), object_index(session, facts) {}

  model::CaptureInfo capture;  // `notes` continued by what the join has to say
  Totals totals;
  std::vector<ProcessSummary> processes;  // by key
  std::vector<StallSummary> stalls;       // of those that stalled, the longest first
  std::vector<ObjectSummary> objects;     // by copied bytes, most first; written or neighbours
  std::vector<SiteSummary> sites;         // by copied bytes, most first
  // --allocators: sites that wrote what was copied first; `breaks` and so on are of the pages. By
  // copied bytes, most first.
  std::vector<SiteSummary> allocators;
  std::optional<BreakCount>
      allocators_unknown;  // of pages whose first write was not seen; none: not asked for
  std::vector<MappingSummary> mappings;  // by copied bytes, most first
  std::vector<TimelineRow> timeline;     // by process and time; quiet buckets are left out
  std::uint64_t timeline_bucket_ns = 0;
  std::vector<WatchSummary> watches;  // by expression, as they were given, then by process
  std::vector<Advice> advice;         // by what it saves, most first
  SiteIndex site_index;               // of `sites`
  std::shared_ptr<SiteFrames>
      stack_frames;          // of `sites` and `allocators`; never nullptr after join()
  ObjectIndex object_index;  // numbers are ObjectIds
};

}  // namespace cowtrace::analysis
