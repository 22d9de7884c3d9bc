// SPDX-License-Identifier: Apache-2.0
#include "analysis/page_groups.h"

#include <algorithm>
#include <utility>

#include "base/units.h"

namespace cowtrace::analysis {

namespace {

// A touch by its place: an index into a space's resolutions, followed by its page_counts.
struct EventPlace {
  std::uint32_t space;
  std::uint32_t index;
};

using PageTime = std::pair<std::uint64_t, std::uint64_t>;

PageTime page_time(const std::vector<const model::AddressSpace*>& spaces, EventPlace place) {
  const model::AddressSpace& space = *spaces[place.space];
  const std::size_t resolutions = space.resolutions.size();
  if (place.index < resolutions) {
    const model::Resolution& event = space.resolutions[place.index];
    return {page_start(event.address, event.size), event.time_ns};
  }
  const model::PageCount& row = space.page_counts[place.index - resolutions];
  return {page_start(row.page, row.size), row.last_ns};
}

bool has_huge_pages(const model::AddressSpace& space) {
  return std::any_of(space.resolutions.begin(), space.resolutions.end(),
                     [](const model::Resolution& event) { return event.size > kPageSize; });
}

std::vector<EventPlace> sorted_places(const std::vector<const model::AddressSpace*>& spaces) {
  std::size_t count = 0;
  for (const auto* space : spaces) count += space->resolutions.size() + space->page_counts.size();
  std::vector<EventPlace> places;
  places.reserve(count);
  for (std::uint32_t s = 0; s < spaces.size(); ++s) {
    const std::size_t end = spaces[s]->resolutions.size() + spaces[s]->page_counts.size();
    for (std::uint32_t i = 0; i < end; ++i) places.push_back({s, i});
  }
  const auto earlier = [&](EventPlace a, EventPlace b) {
    return page_time(spaces, a) < page_time(spaces, b);
  };
  if (!std::is_sorted(places.begin(), places.end(), earlier))
    std::stable_sort(places.begin(), places.end(), earlier);
  return places;
}

}  // namespace

std::uint64_t PageGroup::breaks() const {
  std::uint64_t sum = 0;
  for (const Touch& touch : touches)
    if (touch.is_break()) sum += touch.count;
  return sum;
}

const Touch& PageGroup::decisive() const {
  const auto last =
      std::find_if(touches.rbegin(), touches.rend(), [](const Touch& t) { return t.is_break(); });
  return last != touches.rend() ? *last : touches.back();
}

PageGroups::PageGroups(const model::Session& session) : spaces_of_(session.processes.size()) {
  for (const model::AddressSpace& space : session.spaces)
    if (space.owner.value < spaces_of_.size()) spaces_of_[space.owner.value].push_back(&space);
}

// Hands on the touches one by one, in order of page and time, as groups of one page.
class PageGroups::Grouper {
 public:
  explicit Grouper(const Callback& callback) : callback_(callback) {}

  void begin(model::ProcessKey process) { process_ = process; }

  void add(const Touch& touch) {
    // Of new memory, which nobody shares: allocators.h looks at these.
    if (touch.mechanism == model::Mechanism::FirstWrite) return;
    if (!touches_.empty() && touch.page != touches_.front().page) finish();
    touches_.push_back(touch);
  }
  void finish() {
    if (touches_.empty()) return;
    PageGroup group{process_, groups_++, touches_.front().page, kPageSize, touches_};
    for (const Touch& touch : touches_) group.size = std::max(group.size, touch.size);
    callback_(group);
    touches_.clear();
  }

 private:
  model::ProcessKey process_;
  const Callback& callback_;
  std::vector<Touch> touches_;
  std::size_t groups_ = 0;
};

void PageGroups::for_each(const Callback& callback) const {
  Grouper grouper(callback);
  for (std::uint32_t key = 0; key < spaces_of_.size(); ++key) {
    grouper.begin(model::ProcessKey(key));
    walk(spaces_of_[key], grouper);
  }
}

void PageGroups::walk(const Spaces& spaces, Grouper& grouper) const {
  // Nearly every process: one space, in order already unless a huge page moves the start of its
  // page.
  if (spaces.size() == 1 && spaces[0]->page_counts.empty() && !has_huge_pages(*spaces[0])) {
    std::uint32_t place = 0;
    for (const model::Resolution& event : spaces[0]->resolutions)
      grouper.add(touch_of(*spaces[0], event, place++));
  } else {
    for (const EventPlace place : sorted_places(spaces))
      grouper.add(touch_at(*spaces[place.space], place.index));
  }
  grouper.finish();
}

}  // namespace cowtrace::analysis
