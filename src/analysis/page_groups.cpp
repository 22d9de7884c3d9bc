// SPDX-License-Identifier: Apache-2.0
#include "analysis/page_groups.h"

#include <algorithm>
#include <utility>

#include "base/units.h"

namespace cowtrace::analysis {

namespace {

// A touch by its place: an index into a space's resolutions, followed by its page_counts.
struct Place {
  std::uint32_t space;
  std::uint32_t index;
};

Touch touch_at(const std::vector<const model::AddressSpace*>& spaces, Place place) {
  const model::AddressSpace& space = *spaces[place.space];
  const std::size_t resolutions = space.resolutions.size();
  if (place.index < resolutions) return touch_of(space, space.resolutions[place.index]);
  return touch_of(space, space.page_counts[place.index - resolutions]);
}

using PageTime = std::pair<std::uint64_t, std::uint64_t>;

PageTime page_time(const std::vector<const model::AddressSpace*>& spaces, Place place) {
  const model::AddressSpace& space = *spaces[place.space];
  const std::size_t resolutions = space.resolutions.size();
  if (place.index < resolutions) {
    const model::Resolution& event = space.resolutions[place.index];
    return {page_start(event.address, event.size), event.time_ns};
  }
  const model::PageCount& row = space.page_counts[place.index - resolutions];
  return {page_start(row.page, row.size), row.last_ns};
}

std::vector<Place> sorted_places(const std::vector<const model::AddressSpace*>& spaces) {
  std::size_t count = 0;
  for (const auto* space : spaces) count += space->resolutions.size() + space->page_counts.size();
  std::vector<Place> places;
  places.reserve(count);
  for (std::uint32_t s = 0; s < spaces.size(); ++s) {
    const std::size_t end = spaces[s]->resolutions.size() + spaces[s]->page_counts.size();
    for (std::uint32_t i = 0; i < end; ++i) places.push_back({s, i});
  }
  const auto earlier = [&](Place a, Place b) {
    return page_time(spaces, a) < page_time(spaces, b);
  };
  // One space without huge pages is in order already, which is nearly every process.
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

void PageGroups::for_each(const std::function<void(const PageGroup&)>& callback) const {
  for (std::uint32_t key = 0; key < spaces_of_.size(); ++key)
    walk(model::ProcessKey(key), spaces_of_[key], callback);
}

void PageGroups::walk(model::ProcessKey process, const Spaces& spaces,
                      const std::function<void(const PageGroup&)>& callback) const {
  const std::vector<Place> places = sorted_places(spaces);
  std::vector<Touch> touches;
  for (std::size_t at = 0; at < places.size();) {
    touches.clear();
    PageGroup group{process, page_time(spaces, places[at]).first, kPageSize, {}};
    for (; at < places.size() && page_time(spaces, places[at]).first == group.page; ++at) {
      touches.push_back(touch_at(spaces, places[at]));
      group.size = std::max(group.size, touches.back().size);
    }
    group.touches = touches;
    callback(group);
  }
}

}  // namespace cowtrace::analysis
