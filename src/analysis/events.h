// SPDX-License-Identifier: Apache-2.0
// Single events, each with all that is known of it: in order of time for what shows time, or summed
// up for what shows stacks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/event_filter.h"
#include "analysis/report.h"
#include "analysis/sites.h"
#include "analysis/touch.h"
#include "model/session.h"

namespace cowtrace::analysis {

struct EventRow {
  model::ProcessKey process;  // whose memory it is
  Touch touch;
  const model::Resolution* resolution = nullptr;  // nullptr: a row of counts
  std::uint64_t t_ns = 0;  // since capture started; of the last one of a row of counts
  model::Cause cause = model::Cause::Unknown;
  std::optional<model::Phase> phase;  // none: not known
  std::string_view field;             // of the object, where it is known; untrusted
  std::string_view mapping;           // empty: not known
  std::optional<ObjectId> object;
  std::optional<std::uint32_t> site;  // index of Summary::sites; none without a break there
  std::optional<std::uint32_t> written_bytes;  // as in Totals
};

// A process begins, executes another program, or ends.
struct ProcessMark {
  enum class Kind : std::uint8_t { Start, Exec, Exit };
  Kind kind = Kind::Start;
  std::uint64_t t_ns = 0;  // since capture started
  model::ProcessKey process;
};

class EventJoin {
 public:
  explicit EventJoin(const Report& report) : report_(report) {}

  // `resolution` may be nullptr.
  [[nodiscard]] EventRow row(model::ProcessKey process, const Touch& touch,
                             const model::Resolution* resolution) const;
  // Parts of row().
  [[nodiscard]] model::Cause cause(const Touch& touch) const;
  [[nodiscard]] std::optional<std::uint32_t> site(const Touch& touch) const {
    return report_.summary.site_index.of(touch);
  }

 private:
  const Report& report_;
};

class EventVisitor {
 public:
  virtual ~EventVisitor() = default;
  virtual void mark(const ProcessMark& mark) = 0;
  virtual void event(const EventRow& row) = 0;  // the row lives during the call
};

// All events that match, and the marks of all processes, in order of time. For 16 bytes an event.
void visit_in_time(const Report& report, const EventFilter& filter, EventVisitor& visitor);

}  // namespace cowtrace::analysis
