// SPDX-License-Identifier: Apache-2.0
#include "report/html_events.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "analysis/clock.h"
#include "analysis/page_groups.h"
#include "analysis/site_keys.h"
#include "base/units.h"
#include "report/html_layout.h"

namespace cowtrace::report {

namespace {

using analysis::ObjectId;
using analysis::PageGroup;
using analysis::PageObjects;
using analysis::Touch;

// Gives what it is asked for a number from 1 on.
template <typename Key>
class Numbers {
 public:
  std::uint64_t of(const Key& key) {
    const auto [at, is_new] = number_.try_emplace(key, keys_.size() + 1);
    if (is_new) keys_.push_back(key);
    return at->second;
  }
  [[nodiscard]] const std::vector<Key>& keys() const { return keys_; }

 private:
  std::unordered_map<Key, std::uint64_t> number_;
  std::vector<Key> keys_;
};

class EventWriter {
 public:
  explicit EventWriter(const HtmlEvents& what)
      : what_(what),
        pages_("pages", kPageColumns, what.sections),
        neighbours_("neighbours", kNeighbourColumns, what.sections),
        events_("events", kEventColumns, what.sections) {}

  void add(const PageGroup& group);
  void finish();

 private:
  void add_event(const PageGroup& group, const Touch& touch, std::uint32_t object);
  [[nodiscard]] std::uint64_t add_neighbours();

  const HtmlEvents& what_;
  HtmlTable pages_, neighbours_, events_;
  Numbers<const model::Object*> ranges_;
  Numbers<std::int32_t> actors_;
  PageObjects on_page_;
  std::vector<std::uint32_t> numbers_;
};

void EventWriter::add(const PageGroup& group) {
  const analysis::ObjectIndex& objects = what_.report.summary.object_index;
  objects.on_page(group, on_page_);
  const model::Object* range = objects.mapping_of(group.decisive());
  const std::uint64_t runs = add_neighbours();
  pages_.add({group.process.value, group.page / kPageSize, group.size / kPageSize,
              range != nullptr ? ranges_.of(range) : 0, group.touches.size(), runs});
  for (std::size_t i = 0; i < group.touches.size(); ++i)
    add_event(group, group.touches[i], on_page_.written[i]);
}

std::uint64_t EventWriter::add_neighbours() {
  numbers_.clear();
  for (const std::uint32_t id : on_page_.neighbours) {
    const std::uint32_t number = what_.objects.number(ObjectId(id));
    if (number != HtmlObjects::kNone) numbers_.push_back(number);
  }
  std::sort(numbers_.begin(), numbers_.end());
  std::uint64_t runs = 0;
  for (std::size_t first = 0; first < numbers_.size(); ++runs) {
    std::size_t end = first + 1;
    while (end < numbers_.size() && numbers_[end] == numbers_[end - 1] + 1) ++end;
    neighbours_.add({numbers_[first], end - first});
    first = end;
  }
  return runs;
}

void EventWriter::add_event(const PageGroup& group, const Touch& touch, std::uint32_t object) {
  const model::Session& session = what_.report.session;
  const model::Facts& facts = what_.report.facts;
  const model::Effect& effect = analysis::effect_of(session, facts, touch);
  const auto site = touch.is_break() ? what_.report.summary.site_index.of(touch) : std::nullopt;
  const bool by_another = touch.pid != 0 && touch.pid != session.process(group.process).pid;
  const std::uint32_t number =
      object != PageObjects::kNone ? what_.objects.number(ObjectId(object)) : HtmlObjects::kNone;
  events_.add({analysis::since(session.capture.started_ns, touch.last_ns),
               touch.address - std::min(touch.address, group.page), touch.count,
               touch.size / kPageSize, static_cast<std::uint64_t>(touch.mechanism),
               static_cast<std::uint64_t>(analysis::cause_of(touch, effect.cause)),
               (touch.collecting ? kCollecting : 0) | (touch.in_kernel ? kInKernel : 0) |
                   static_cast<std::uint64_t>(touch.phase) << kPhaseShift,
               number != HtmlObjects::kNone ? number + 1 : 0, what_.strings.of(facts.field(effect)),
               site ? *site + 1 : 0, by_another ? actors_.of(touch.pid) : 0, touch.old_frame,
               touch.new_frame});
}

void EventWriter::finish() {
  pages_.finish();
  neighbours_.finish();
  events_.finish();
  Json ranges = Json::array();
  for (const model::Object* range : ranges_.keys())
    ranges.push_back({what_.strings.of(range->name), range->address / kPageSize,
                      (range->size + kPageSize - 1) / kPageSize});
  what_.sections.json("ranges", ranges);
  Json actors = Json::array();
  for (const std::int32_t pid : actors_.keys()) {
    const auto& visitors = what_.report.session.visitors;
    const auto visitor = visitors.find(pid);
    actors.push_back({pid, visitor != visitors.end() ? visitor->second : std::string()});
  }
  what_.sections.json("actors", actors);
}

}  // namespace

void write_html_events(const HtmlEvents& what) {
  EventWriter writer(what);
  analysis::PageGroups(what.report.session).for_each([&](const PageGroup& group) {
    writer.add(group);
  });
  writer.finish();
}

}  // namespace cowtrace::report
