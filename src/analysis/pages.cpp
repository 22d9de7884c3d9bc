// SPDX-License-Identifier: Apache-2.0
#include "analysis/pages.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>

#include "analysis/clock.h"
#include "analysis/events.h"
#include "analysis/page_groups.h"

namespace cowtrace::analysis {

namespace {

class Actors {
 public:
  explicit Actors(const model::Session& session) : session_(session) {
    for (std::uint32_t key = 0; key < session.processes.size(); ++key)
      by_pid_[session.processes[key].pid].push_back(key);
    for (auto& [pid, keys] : by_pid_)
      std::stable_sort(keys.begin(), keys.end(), [&](std::uint32_t a, std::uint32_t b) {
        return session.processes[a].start_ns < session.processes[b].start_ns;
      });
  }

  [[nodiscard]] std::optional<Actor> of(model::ProcessKey owner, const Touch& touch) const {
    if (touch.pid == 0 || touch.pid == session_.process(owner).pid) return std::nullopt;
    return Actor{touch.pid, command(touch.pid, touch.last_ns)};
  }

 private:
  // Pids are reused: the newest process of that pid that had started by then.
  [[nodiscard]] std::string_view command(std::int32_t pid, std::uint64_t time_ns) const {
    // A visitor told its name when it acted; of a process of the family we know the one it had when
    // it was forked.
    const auto visitor = session_.visitors.find(pid);
    if (visitor != session_.visitors.end()) return visitor->second;
    const auto found = by_pid_.find(pid);
    if (found == by_pid_.end()) return {};
    const auto& keys = found->second;
    const auto later = std::upper_bound(keys.begin(), keys.end(), time_ns,
                                        [this](std::uint64_t time, std::uint32_t key) {
                                          return time < session_.processes[key].start_ns;
                                        });
    return later != keys.begin() ? std::string_view(session_.processes[*std::prev(later)].command)
                                 : std::string_view();
  }

  const model::Session& session_;
  std::unordered_map<std::int32_t, std::vector<std::uint32_t>> by_pid_;  // by when they started
};

void fill_from_touches(PageRow& row, const PageGroup& group, std::uint64_t started_ns) {
  row.by_mechanism = {};
  row.breaks = group.breaks();
  std::uint64_t first = UINT64_MAX;
  std::uint64_t last = 0;
  for (const Touch& touch : group.touches) {
    row.by_mechanism[static_cast<std::size_t>(touch.mechanism)] += touch.count;
    first = std::min(first, touch.first_ns);
    last = std::max(last, touch.last_ns);
  }
  row.first_ns = since(started_ns, first);
  row.last_ns = since(started_ns, last);
  const Touch& decisive = group.decisive();
  row.written = decisive.address;
  row.old_frame = decisive.old_frame;
  row.new_frame = decisive.new_frame;
}

}  // namespace

void for_each_page(const Report& report, const std::function<void(const PageRow&)>& callback) {
  const model::Session& session = report.session;
  const ObjectIndex& objects = report.summary.object_index;
  const EventJoin join(report);
  const Actors actors(session);
  PageObjects on_page;
  PageRow row;
  PageGroups(session).for_each([&](const PageGroup& group) {
    const Touch& decisive = group.decisive();
    row.process = group.process;
    row.pid = session.process(group.process).pid;
    row.address = group.page;
    row.size = group.size;
    fill_from_touches(row, group, session.capture.started_ns);
    row.cause = join.cause(decisive);
    row.phase = phase_of(session, decisive);
    row.actor = actors.of(group.process, decisive);
    const model::Object* mapping = objects.mapping_of(decisive);
    row.mapping = mapping != nullptr ? std::string_view(mapping->name) : std::string_view();

    objects.on_page(group, on_page);
    const auto at = static_cast<std::size_t>(&decisive - group.touches.data());
    row.object.reset();
    if (on_page.written[at] != PageObjects::kNone) row.object = ObjectId(on_page.written[at]);
    row.neighbours.clear();
    for (const std::uint32_t id : on_page.neighbours) row.neighbours.push_back(ObjectId(id));
    callback(row);
  });
}

}  // namespace cowtrace::analysis
