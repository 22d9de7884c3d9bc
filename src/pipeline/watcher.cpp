// SPDX-License-Identifier: Apache-2.0
#include "pipeline/watcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/units.h"
#include "process/pagemap.h"

namespace cowtrace::pipeline {
namespace {

using model::WatchSample;

constexpr std::uint64_t kSettledNs =
    100'000'000;  // from a break to when its write is sure to have been made
constexpr std::uint64_t kRest =
    20;  // looks at a running process take at most one part in so many of the time

// Frames of the pages of a process, as they are now.
class Frames {
 public:
  explicit Frames(pid_t tid) : pagemap_(process::Pagemap::open(tid)) {}

  [[nodiscard]] std::vector<std::uint64_t> of(std::uint64_t start, std::uint64_t end) const {
    const std::uint64_t first = start / kPageSize;
    std::vector<std::uint64_t> entries(
        std::min<std::uint64_t>((end - 1) / kPageSize - first + 1, WatchSample::kMostFrames));
    const auto got = pagemap_ ? pagemap_->read(first, entries) : Result<std::size_t>(0);
    entries.resize(got ? *got : 0);
    for (std::uint64_t& entry : entries) entry = process::PageEntry{entry}.frame();
    return entries;
  }
  [[nodiscard]] std::uint64_t at(std::uint64_t address) const {
    const auto frames = of(address, address + 1);
    return frames.empty() ? 0 : frames.front();
  }

 private:
  Result<process::Pagemap> pagemap_;
};

WatchSample sample_of(const python::Evaluation& seen, const Frames& frames,
                      WatchSample::Moment moment, std::uint64_t time_ns) {
  WatchSample sample;
  sample.time_ns = time_ns;
  sample.moment = moment;
  sample.why = seen.why;
  sample.place = seen.place;
  switch (seen.outcome) {
    case python::Evaluation::Outcome::Found:
      sample.outcome = WatchSample::Outcome::Found;
      break;
    case python::Evaluation::Outcome::Missing:
      sample.outcome = WatchSample::Outcome::Missing;
      return sample;
    case python::Evaluation::Outcome::Unknown:
      sample.outcome = WatchSample::Outcome::Unknown;
      return sample;
  }
  sample.object = seen.object;
  sample.start = seen.start;
  sample.type = seen.type;
  sample.slot = seen.slot;
  sample.frames = frames.of(seen.start, seen.end);
  sample.frame = frames.at(seen.object);
  if (seen.slot != 0) sample.slot_frame = frames.at(seen.slot);
  return sample;
}

// What has been broken since `since_ns` had the frame from before then.
void rewind(WatchSample& sample, const model::AddressSpace& space, std::uint64_t since_ns) {
  std::unordered_set<std::uint64_t> seen;
  for (const model::Resolution& event : space.resolutions) {
    if (event.time_ns < since_ns || !is_break(event.mechanism) || event.size != kPageSize ||
        event.old_frame == 0)
      continue;
    const std::uint64_t page = page_of(event.address);
    if (!seen.insert(page).second) continue;
    const std::uint64_t index = (page - page_of(sample.start)) / kPageSize;
    if (page >= page_of(sample.start) && index < sample.frames.size())
      sample.frames[index] = event.old_frame;
    if (page == page_of(sample.object)) sample.frame = event.old_frame;
    if (page == page_of(sample.slot)) sample.slot_frame = event.old_frame;
  }
}

std::uint64_t fork_time(const model::Process& child) {
  return child.fork_ns.value_or(child.start_ns);
}

}  // namespace

Watcher::Known& Watcher::known(model::SpaceId space) {
  const auto [found, is_new] = known_.try_emplace(space);
  if (!is_new) return found->second;
  order_.push_back(space);
  for (const python::Expression& expression : expressions_)
    found->second.watches.push_back({expression.text, space, {}, {}});
  return found->second;
}

const model::Process* Watcher::living_owner(model::SpaceId space) const {
  const model::AddressSpace* found = session_.find_space(space);
  if (found == nullptr || found->owner.value >= session_.processes.size()) return nullptr;
  const model::Process& owner = session_.process(found->owner);
  // After an exec the addresses are another program's.
  return owner.exit_ns || owner.spaces.empty() || owner.spaces.back() != space ? nullptr : &owner;
}

void Watcher::on_fork(pid_t tid, const model::Process& child, const model::Process& parent,
                      const python::Heap& heap) {
  look_at_inherited(tid, child.spaces.front(), child, parent, heap.types(), heap.runtime());
}

void Watcher::on_running_fork(const model::Process& child, const model::Process& parent,
                              const python::Runtime& runtime) {
  const auto image = image::MemoryImage::look_into(parent.pid, modules_, {});
  if (!image) return;
  const python::TypeTable types(**image, runtime.layout, runtime.type_type);
  if (python::is_finalizing(types, runtime)) return;
  look_at_inherited(parent.pid, parent.spaces.back(), child, parent, types, runtime);
  known(child.spaces.front()).looks_due = 2;
}

// `tid` runs in the space `of_tid`: that of the child or of the parent.
void Watcher::look_at_inherited(pid_t tid, model::SpaceId of_tid, const model::Process& child,
                                const model::Process& parent, const python::TypeTable& types,
                                const python::Runtime& runtime) {
  const Frames frames(tid);
  const model::AddressSpace* space = session_.find_space(of_tid);
  for (std::size_t i = 0; i < expressions_.size(); ++i) {
    const python::Evaluation seen = python::evaluate(types, runtime, expressions_[i]);
    WatchSample sample = sample_of(seen, frames, WatchSample::Moment::Fork, fork_time(child));
    if (space != nullptr) rewind(sample, *space, fork_time(child));
    for (const model::SpaceId id : {parent.spaces.back(), child.spaces.front()}) {
      Known& one = known(id);
      one.runtime = runtime;
      one.pages.insert(seen.pages.begin(), seen.pages.end());
      auto& at_fork = one.watches[i].at_fork;
      // What a process first shared counts; only if there was nothing, what it shared later.
      if (!at_fork || at_fork->outcome != WatchSample::Outcome::Found) at_fork = sample;
    }
  }
}

void Watcher::on_event(const model::Resolution& event) {
  const auto found = known_.find(event.space);
  if (found == known_.end() || found->second.over) return;
  // Huge pages are seldom: not worth looking which of their parts are relied on.
  if (event.size > kPageSize || found->second.pages.contains(page_of(event.address)))
    found->second.looks_due = 2;
}

void Watcher::look_at_touched() {
  for (auto& [space, one] : known_) {
    if (one.looks_due == 0 || one.over || !one.runtime) continue;
    const std::uint64_t now = monotonic_ns();
    if (now < one.not_before_ns) continue;
    const model::Process* owner = living_owner(space);
    if (owner == nullptr) {
      one.looks_due = 0;
      continue;
    }
    --one.looks_due;
    look(owner->pid, one, WatchSample::Moment::Break);
    const std::uint64_t cost = monotonic_ns() - now;
    one.not_before_ns = now + std::max(kSettledNs, cost * kRest);
  }
}

// Not as often as threads may start.
void Watcher::on_clone(pid_t tid, model::SpaceId space) {
  Known& one = known(space);
  const std::uint64_t now = monotonic_ns();
  if (one.over || now < one.not_before_ns) return;
  look(tid, one, WatchSample::Moment::Clone);
  one.not_before_ns = now + std::max(kSettledNs, (monotonic_ns() - now) * kRest);
}

void Watcher::on_exit(pid_t tid, model::SpaceId space) {
  Known& one = known(space);
  if (!one.over) look(tid, one, WatchSample::Moment::Exit);
  one.over = true;
}

void Watcher::look(pid_t tid, Known& one, WatchSample::Moment moment) {
  const auto image = image::MemoryImage::look_into(tid, modules_, {});
  // It has ended meanwhile: what was seen before stays.
  if (!image) return;
  if (!one.runtime) one.runtime = python::find_runtime(**image).runtime;
  if (!one.runtime) return;
  const python::TypeTable types(**image, one.runtime->layout, one.runtime->type_type);
  if (python::is_finalizing(types, *one.runtime)) {
    one.over = true;
    return;
  }
  const Frames frames(tid);
  std::vector<WatchSample> samples;
  for (const python::Expression& expression : expressions_) {
    const python::Evaluation seen = python::evaluate(types, *one.runtime, expression);
    one.pages.insert(seen.pages.begin(), seen.pages.end());
    samples.push_back(sample_of(seen, frames, moment, monotonic_ns()));
  }
  // It may have begun to while it was looked at.
  if (moment != WatchSample::Moment::Exit && is_over(tid, *one.runtime)) return;
  for (std::size_t i = 0; i < samples.size(); ++i)
    // A process that runs may be seen between two of its steps; what is certain from before is not
    // given up for that.
    if (samples[i].outcome != WatchSample::Outcome::Unknown || moment == WatchSample::Moment::Exit)
      one.watches[i].last = std::move(samples[i]);
}

// Has the process ended, or does its interpreter take itself apart?
bool Watcher::is_over(pid_t tid, const python::Runtime& runtime) {
  const auto image = image::MemoryImage::look_into(tid, modules_, {});
  if (!image) return true;
  return python::is_finalizing(python::TypeTable(**image, runtime.layout, runtime.type_type),
                               runtime);
}

void Watcher::finish() {
  for (auto& [space, one] : known_)
    if (const model::Process* owner = living_owner(space);
        owner != nullptr && !one.over && one.runtime)
      look(owner->pid, one, WatchSample::Moment::End);
  for (std::size_t i = 0; i < expressions_.size(); ++i)
    for (const model::SpaceId space : order_)
      if (Known& one = known_.at(space); one.runtime)
        session_.watches.push_back(std::move(one.watches[i]));
  if (active() && session_.watches.empty())
    notes_.push_back("--watch: no process of a CPython whose layout is known was seen");
}

}  // namespace cowtrace::pipeline
