// SPDX-License-Identifier: Apache-2.0
#include "pipeline/live.h"

#include <memory>
#include <string>
#include <utility>

#include "analysis/mapping_ranges.h"

namespace cowtrace::pipeline {
namespace {

constexpr std::uint64_t kWindowNs = 1'000'000'000;
constexpr std::uint64_t kAskEveryNs = 100'000'000;  // each time wakes a thread
constexpr std::uint64_t kMostPending = 50'000;      // breaks that wait for names
constexpr std::size_t kMostSites = 10'000;          // whose names are kept
constexpr std::size_t kSitesAWindow = 200;          // that are named although nobody looks at them

}  // namespace

void Live::take(const model::Event& event) {
  if (const auto* resolution = std::get_if<model::Resolution>(&event)) {
    if (is_break(resolution->mechanism)) take_break(*resolution);
  } else if (const auto* stack = std::get_if<model::Stack>(&event)) {
    counts_.add(*stack);
  } else if (const auto* fork = std::get_if<model::Fork>(&event)) {
    counts_.add(*fork);
  } else if (const auto* attach = std::get_if<model::Attach>(&event)) {
    counts_.add(*attach);
  }
}

void Live::take_break(const model::Resolution& event) {
  const std::uint32_t site = counts_.add(event);
  if (pending_ >= kMostPending) {
    ++unnamed_;
    return;
  }
  ++pending_;
  unasked_.push_back({event.space, event.address, event.time_ns, event.size, event.mapping, site,
                      event.cause, nullptr});
}

std::uint32_t Live::mapping_number(model::MappingHash mapping) {
  const auto known = mappings_.find(mapping);
  if (known != mappings_.end()) return known->second;
  const auto found = session_.mappings.find(mapping);
  const bool is_known = found != session_.mappings.end();
  const std::uint32_t number = counts_.object_number(
      {model::ObjectKind::Mapping,
       is_known ? analysis::mapping_label(found->second) : "(not known)", "", 0});
  // Its event may still come.
  if (is_known) mappings_.emplace(mapping, number);
  return number;
}

void Live::take_answers() {
  Namer::Answers answers = namer_.take();
  for (const Namer::Break& one : answers.breaks) {
    --pending_;
    std::uint32_t object = 0;
    if (one.object == nullptr) {
      object = mapping_number(one.mapping);
    } else {
      const auto [known, is_new] = objects_.try_emplace(one.object);
      if (is_new) known->second = counts_.object_number(*one.object);
      object = known->second;
    }
    counts_.add_named(one.space, one.site, object, one.cause, one.bytes);
  }
  for (auto& [as, site] : answers.sites) take_site(as, std::move(site.frames));
  answered_ = answered_ || !answers.sites.empty();
}

void Live::update(std::uint64_t now_ns) {
  take_answers();
  if (!unasked_.empty() && now_ns - asked_ns_ >= kAskEveryNs) {
    asked_ns_ = now_ns;
    namer_.ask(std::exchange(unasked_, {}));
  }
  const analysis::LiveRequest request = view_.request();
  const bool due = now_ns - window_ns_ >= kWindowNs;
  if (due) {
    window_ns_ = now_ns;
    counts_.next_window(now_ns);
    name_more_sites();
  }
  // Names of sites come a moment after they were asked for.
  if (due || shown_ != request || answered_) show(now_ns, request);
}

void Live::show(std::uint64_t now_ns, const analysis::LiveRequest& request,
                const std::string& why) {
  auto snapshot =
      std::make_shared<analysis::LiveSnapshot>(counts_.snapshot(session_, request, inherited_));
  snapshot->elapsed_ns = now_ns - session_.capture.started_ns;
  snapshot->pending = pending_;
  snapshot->unnamed = unnamed_;
  snapshot->lost_events = capture_.lost();
  snapshot->ended = why;
  name_sites(*snapshot);
  view_.show(std::move(snapshot));
  shown_ = request;
  answered_ = false;
}

// Asks for those that are shown and were not asked for yet.
void Live::name_sites(analysis::LiveSnapshot& snapshot) {
  if (sites_.size() > kMostSites) sites_.clear();
  for (analysis::LiveSite& row : snapshot.sites.rows) {
    if (!sites_.contains(row.id) &&
        !ask_for_site(row.id, {row.stack, row.space, row.ip, row.time_ns}))
      continue;
    row.pending = sites_[row.id].pending;
    row.frames = sites_[row.id].frames;
  }
}

bool Live::ask_for_site(std::uint32_t number, const analysis::LiveCounts::SitePlace& site) {
  const auto stack = session_.stacks.find(site.stack);
  if (site.stack != model::StackHash() && stack == session_.stacks.end()) return false;
  sites_.try_emplace(number);
  namer_.ask(number, {site.stack, site.space, site.ip, site.time_ns, {}},
             stack != session_.stacks.end() ? &stack->second : nullptr);
  return true;
}

// Also those that are not shown: they may be called what another one is called, and add to its row.
void Live::name_more_sites() {
  std::size_t asked = 0;
  for (std::uint32_t number = 0;
       number < counts_.sites() && asked < kSitesAWindow && sites_.size() < kMostSites / 2;
       ++number) {
    if (sites_.contains(number)) continue;
    const auto site = counts_.site_to_name(number);
    if (site && ask_for_site(number, *site)) ++asked;
  }
}

void Live::take_site(std::uint32_t number, std::vector<model::StackFrame> frames) {
  std::string names;
  for (const model::StackFrame& frame : frames) {
    for (const std::string* text : {&frame.function, &frame.file, &frame.module})
      names += *text + '\0';
    names += std::to_string(frame.line) + '\0';
  }
  const auto [first, is_new] = site_of_names_.try_emplace(std::move(names), number);
  if (!is_new) counts_.merge_sites(first->second, number);
  sites_[number] = {false, std::move(frames)};
}

void Live::finish(const std::string& why) {
  namer_.stop();
  take_answers();
  show(session_.capture.started_ns + session_.capture.duration_ns, view_.request(), why);
}

}  // namespace cowtrace::pipeline
