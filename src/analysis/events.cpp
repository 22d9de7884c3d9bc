// SPDX-License-Identifier: Apache-2.0
#include "analysis/events.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "analysis/clock.h"

namespace cowtrace::analysis {

namespace {

// An event by its place: an index into a space's resolutions, followed by its page_counts.
struct Place {
  std::uint64_t time_ns;
  std::uint32_t space;
  std::uint32_t index;

  friend auto operator<=>(const Place&, const Place&) = default;
};

std::vector<Place> places_in_time(const model::Session& session) {
  std::vector<Place> places;
  std::size_t count = 0;
  for (const auto& space : session.spaces)
    count += space.resolutions.size() + space.page_counts.size();
  places.reserve(count);
  for (std::uint32_t s = 0; s < session.spaces.size(); ++s) {
    const model::AddressSpace& space = session.spaces[s];
    std::uint32_t index = 0;
    for (const model::Resolution& event : space.resolutions)
      places.push_back({event.time_ns, s, index++});
    for (const model::PageCount& row : space.page_counts)
      places.push_back({row.last_ns, s, index++});
  }
  // Several at one moment come by space and page.
  std::sort(places.begin(), places.end());
  return places;
}

std::vector<ProcessMark> marks_in_time(const Summary& summary, const model::Session& session,
                                       const std::vector<Place>& places) {
  // In an exec the kernel writes to the new memory before it says so: no process begins after its
  // first event.
  std::vector<std::uint64_t> first_event(summary.processes.size(), UINT64_MAX);
  for (const Place& place : places) {
    const model::ProcessKey owner = session.spaces[place.space].owner;
    if (owner.value < first_event.size())
      first_event[owner.value] =
          std::min(first_event[owner.value], since(session.capture.started_ns, place.time_ns));
  }
  std::vector<ProcessMark> marks;
  for (const ProcessSummary& process : summary.processes) {
    marks.push_back({ProcessMark::Kind::Start,
                     std::min(process.start_ns, first_event[process.process.value]),
                     process.process});
    for (const std::uint64_t exec_ns : session.process(process.process).exec_ns)
      marks.push_back(
          {ProcessMark::Kind::Exec, since(session.capture.started_ns, exec_ns), process.process});
    if (process.exit_ns)
      marks.push_back({ProcessMark::Kind::Exit, *process.exit_ns, process.process});
  }
  std::sort(marks.begin(), marks.end(), [](const ProcessMark& a, const ProcessMark& b) {
    return std::tie(a.t_ns, a.process, a.kind) < std::tie(b.t_ns, b.process, b.kind);
  });
  return marks;
}

}  // namespace

model::Cause EventJoin::cause(const Touch& touch) const {
  return cause_of(touch, effect_of(report_.session, report_.facts, touch).cause);
}

EventRow EventJoin::row(model::ProcessKey process, const Touch& touch,
                        const model::Resolution* resolution) const {
  EventRow row;
  row.process = process;
  row.touch = touch;
  row.resolution = resolution;
  row.t_ns = since(report_.session.capture.started_ns, touch.last_ns);
  const model::Effect& effect = effect_of(report_.session, report_.facts, touch);
  row.cause = cause_of(touch, effect.cause);
  row.phase = phase_of(report_.session, touch);
  row.field = report_.facts.field(effect);
  const model::Object* mapping = report_.summary.object_index.mapping_of(touch);
  if (mapping != nullptr) row.mapping = mapping->name;
  const std::uint32_t object = report_.summary.object_index.written(touch);
  if (object != PageObjects::kNone) row.object = ObjectId(object);
  row.site = site(touch);
  row.written_bytes = effect.stored;
  return row;
}

void visit_in_time(const Report& report, const EventFilter& filter, EventVisitor& visitor) {
  const EventJoin join(report);
  const model::Session& session = report.session;
  const std::vector<Place> places = places_in_time(session);
  const std::vector<ProcessMark> marks = marks_in_time(report.summary, session, places);
  auto mark = marks.begin();
  // At one moment a process begins before its first event, and ends after its last.
  const auto marks_until = [&](std::uint64_t t_ns) {
    for (; mark != marks.end(); ++mark) {
      if (mark->t_ns > t_ns || (mark->t_ns == t_ns && mark->kind == ProcessMark::Kind::Exit)) break;
      visitor.mark(*mark);
    }
  };
  for (const Place& place : places) {
    const model::AddressSpace& space = session.spaces[place.space];
    const model::Resolution* resolution =
        place.index < space.resolutions.size() ? &space.resolutions[place.index] : nullptr;
    const Touch touch = touch_at(space, place.index);
    if (space.owner.value >= session.processes.size()) continue;
    const model::Process& process = session.process(space.owner);
    if (!filter.everything() && !filter.matches(process, touch, join.cause(touch))) continue;
    const EventRow row = join.row(space.owner, touch, resolution);
    marks_until(row.t_ns);
    visitor.event(row);
  }
  for (; mark != marks.end(); ++mark) visitor.mark(*mark);
}

}  // namespace cowtrace::analysis
