// SPDX-License-Identifier: Apache-2.0
#include "analysis/live_counts.h"

#include <fmt/format.h>

#include <utility>

namespace cowtrace::analysis {

void LiveTally::turn_to(std::uint32_t window) {
  if (window == window_) return;
  last_ = window == window_ + 1 ? current_ : BreakCount();
  current_ = {};
  window_ = window;
}

void LiveTally::add(std::uint32_t window, const LiveTally& more) {
  turn_to(window);
  total_.add(more.total_.breaks, more.total_.bytes);
  const BreakCount before = more.before(window);
  last_.add(before.breaks, before.bytes);
  if (more.window_ == window) current_.add(more.current_.breaks, more.current_.bytes);
}

BreakCount LiveTally::before(std::uint32_t window) const {
  if (window == window_) return last_;
  return window == window_ + 1 ? current_ : BreakCount();
}

std::size_t LiveCounts::CellHash::operator()(const CellKey& key) const {
  const auto& [space, site, object, cause] = key;
  std::uint64_t hash = space;
  for (const std::uint64_t part :
       {std::uint64_t{site}, std::uint64_t{object}, std::uint64_t{cause}})
    hash =
        (hash ^ part) * 0x9e3779b97f4a7c15;  // 2^64 / golden ratio: Knuth's multiplicative hashing
  return hash ^ hash >> 32;
}

LiveCounts::LiveCounts(const Limits& limits) : limits_(limits) {
  objects_.push_back({{model::ObjectKind::Mapping, "(other objects)", "", 0}, 0});
  types_.emplace_back("(other objects)");
}

void LiveCounts::add(const model::Fork& fork) {
  if (fork.is_thread || fork.shares_memory) return;
  image_of_.emplace(fork.child_space, image(fork.parent_space));
}

void LiveCounts::add(const model::Attach& attach) {
  if (attach.parent_space != model::SpaceId())
    image_of_.emplace(attach.space, image(attach.parent_space));
}

model::SpaceId LiveCounts::image(model::SpaceId space) const {
  const auto found = image_of_.find(space);
  return found != image_of_.end() ? found->second : space;
}

std::uint32_t LiveCounts::site_of(std::uint32_t number) const {
  while (sites_[number].merged_into != number) number = sites_[number].merged_into;
  return number;
}

// Forked processes share addresses: the same stack in several of them is one site (as in
// SiteTable).
void LiveCounts::add(const model::Stack& stack) {
  const auto known = site_of_stack_.find(stack.hash);
  const auto [same, is_new] =
      site_of_frames_.try_emplace(Frames{image(stack.space), stack.frames, stack.python}, 0);
  if (is_new) {
    same->second = known != site_of_stack_.end() ? site_of(known->second)
                                                 : static_cast<std::uint32_t>(sites_.size());
    if (known != site_of_stack_.end()) return;
    sites_.emplace_back().merged_into = same->second;
    site_of_stack_.emplace(stack.hash, same->second);
    return;
  }
  const std::uint32_t site = site_of(same->second);
  if (known == site_of_stack_.end()) {
    site_of_stack_.emplace(stack.hash, site);
  } else if (const std::uint32_t early = site_of(known->second); early != site) {
    // Its breaks arrived before it did.
    Site& into = sites_[site];
    if (into.time_ns == 0)
      std::tie(into.stack, into.space, into.ip, into.time_ns) = std::tie(
          sites_[early].stack, sites_[early].space, sites_[early].ip, sites_[early].time_ns);
    into.tally.add(window_, sites_[early].tally);
    sites_[early].merged_into = site;
  }
}

std::optional<LiveCounts::SitePlace> LiveCounts::site_to_name(std::uint32_t number) const {
  const Site& site = sites_[number];
  if (site.merged_into != number || site.time_ns == 0) return std::nullopt;
  return SitePlace{site.stack, site.space, site.ip, site.time_ns};
}

void LiveCounts::merge_sites(std::uint32_t first, std::uint32_t second) {
  const std::uint32_t into = site_of(first), from = site_of(second);
  if (into == from) return;
  sites_[into].tally.add(window_, sites_[from].tally);
  sites_[from].merged_into = into;
}

std::uint32_t LiveCounts::new_site(const model::Resolution& event) {
  const auto number = static_cast<std::uint32_t>(sites_.size());
  if (event.stack != model::StackHash()) {
    const auto [found, is_new] = site_of_stack_.try_emplace(event.stack, number);
    if (!is_new) return site_of(found->second);
  } else {
    const auto [found, is_new] = site_of_ip_.try_emplace({image(event.space), event.ip}, number);
    if (!is_new) return site_of(found->second);
  }
  sites_.emplace_back().merged_into = number;
  return number;
}

std::uint32_t LiveCounts::add(const model::Resolution& event) {
  total_.add(window_, event.size);
  spaces_[event.space].add(window_, event.size);
  const std::uint32_t number = new_site(event);
  Site& site = sites_[number];
  if (site.time_ns == 0) {
    site.stack = event.stack;
    site.space = event.space;
    site.ip = event.ip;
    site.time_ns = event.time_ns;
  }
  site.tally.add(window_, event.size);
  return number;
}

std::uint32_t LiveCounts::object_number(const Name& name) {
  const auto known = object_of_name_.find(name);
  if (known != object_of_name_.end()) return known->second;
  if (objects_.size() > limits_.objects) return kOthers;
  const std::string type =
      name.type.empty() ? fmt::format("({})", model::name(name.kind)) : name.type;
  const auto [of_type, is_new] =
      type_of_name_.try_emplace(type, static_cast<std::uint32_t>(types_.size()));
  if (is_new) types_.push_back(type);
  const auto number = static_cast<std::uint32_t>(objects_.size());
  objects_.push_back({name, of_type->second});
  object_of_name_.emplace(name, number);
  return number;
}

void LiveCounts::add_named(model::SpaceId space, std::uint32_t site, std::uint32_t object,
                           model::Cause cause, std::uint64_t bytes) {
  ++named_;
  const auto cell_for = [&](std::uint32_t of_site, std::uint32_t of_object) {
    const CellKey key{space.value, of_site, of_object, static_cast<std::uint8_t>(cause)};
    const bool full = cells_.size() >= limits_.cells && !cell_of_.contains(key);
    return std::pair(key, full);
  };
  auto [key, full] = cell_for(site_of(site), object);
  // There are few spaces, and few sites, next to all combinations of them with objects.
  if (full) std::tie(key, full) = cell_for(site_of(site), kOthers);
  const auto [found, is_new] = cell_of_.try_emplace(key, static_cast<std::uint32_t>(cells_.size()));
  if (is_new) cells_.push_back({space, std::get<1>(key), std::get<2>(key), cause, {}});
  cells_[found->second].tally.add(window_, bytes);
}

void LiveCounts::next_window(std::uint64_t now_ns) {
  window_ns_ = window_began_ns_ != 0 ? now_ns - window_began_ns_ : 0;
  window_began_ns_ = now_ns;
  ++window_;
}

}  // namespace cowtrace::analysis
