// SPDX-License-Identifier: Apache-2.0
#include "analysis/watches.h"

#include <algorithm>
#include <bit>
#include <map>
#include <unordered_map>
#include <utility>

#include "analysis/clock.h"
#include "analysis/sites.h"
#include "analysis/touch.h"
#include "base/units.h"

namespace cowtrace::analysis {

namespace {

using model::WatchSample;

// The first break of each page of one address space after `since_ns`, and the first write that was
// given the page as it was.
class FirstBreaks {
 public:
  struct Write {
    const model::Resolution* event = nullptr;
    std::uint32_t place = 0;  // as Touch has it
  };

  FirstBreaks(const model::AddressSpace& space, std::uint64_t since_ns) : space_(space) {
    std::uint32_t place = 0;
    for (const model::Resolution& event : space.resolutions) {
      const Write write{&event, place++};
      if (event.time_ns < since_ns) continue;
      if (is_break(event.mechanism)) add(breaks_, write);
      if (event.mechanism == model::Mechanism::Reuse) add(reuses_, write);
    }
  }

  // Of the page that holds `address`; nullptr if there is none.
  [[nodiscard]] const Write* break_of(std::uint64_t address) const {
    return first(breaks_, address);
  }
  [[nodiscard]] const Write* reuse_of(std::uint64_t address) const {
    return first(reuses_, address);
  }
  [[nodiscard]] const model::AddressSpace& space() const { return space_; }

 private:
  // By the size of a page, of which there are few, and where it starts.
  using Events = std::map<std::uint64_t, std::unordered_map<std::uint64_t, Write>>;

  static void add(Events& events, const Write& write) {
    const model::Resolution& event = *write.event;
    const std::uint64_t size =
        event.size > kPageSize && std::has_single_bit(event.size) ? event.size : kPageSize;
    Write& first = events[size][page_start(event.address, size)];
    if (first.event == nullptr || event.time_ns < first.event->time_ns) first = write;
  }
  static const Write* first(const Events& events, std::uint64_t address) {
    const Write* first = nullptr;
    for (const auto& [size, of_page] : events) {
      const auto found = of_page.find(page_start(address, size));
      if (found != of_page.end() &&
          (first == nullptr || found->second.event->time_ns < first->event->time_ns))
        first = &found->second;
    }
    return first;
  }

  const model::AddressSpace& space_;
  Events breaks_, reuses_;
};

class Judge {
 public:
  Judge(const model::Session& session, const model::Facts& facts)
      : session_(session), facts_(facts), frames_(session, facts.stack_names) {}

  WatchSummary judge(const model::Watch& watch, const FirstBreaks& writes);

 private:
  [[nodiscard]] std::uint64_t since_start(std::uint64_t time_ns) const {
    return since(session_.capture.started_ns, time_ns);
  }
  WatchBreak describe(const FirstBreaks::Write& write, const FirstBreaks& writes);
  std::optional<WatchBreak> describe_if(const FirstBreaks::Write* write,
                                        const FirstBreaks& writes) {
    return write != nullptr ? std::optional(describe(*write, writes)) : std::nullopt;
  }
  WatchSlot slot_of(const WatchSample& at_fork, const WatchSample& now, const FirstBreaks& writes);
  void compare_pages(WatchSummary& summary, const WatchSample& at_fork, const WatchSample& now,
                     const FirstBreaks& writes);

  const model::Session& session_;
  const model::Facts& facts_;
  SiteFrames frames_;
  // Bytes that the stacks and names of all watches may take: what real ones have is far below. A
  // hostile trace has as many as it likes.
  std::uint64_t left_ = std::uint64_t{64} << 20;
};

std::uint64_t bytes_of(const WatchBreak& event) {
  std::uint64_t bytes = event.object.size() + event.field.size();
  for (const model::StackFrame& frame : event.stack)
    bytes += sizeof(frame) + frame.function.size() + frame.file.size() + frame.module.size() +
             frame.why_unnamed.size();
  return bytes;
}

WatchBreak Judge::describe(const FirstBreaks::Write& write, const FirstBreaks& writes) {
  const model::Resolution& event = *write.event;
  const model::Target target =
      left_ != 0 ? facts_.target(session_.number_of(writes.space()), write.place) : model::Target();
  const model::Effect& effect = facts_.effect(target);
  WatchBreak result;
  result.t_ns = since_start(event.time_ns);
  result.address = event.address;
  result.pid = event.pid;
  result.mechanism = event.mechanism;
  result.cause = cause_of(touch_of(writes.space(), event, write.place), effect.cause);
  if (target.object != model::Target::kNone) result.object = facts_.objects[target.object]->name;
  result.field = facts_.field(effect);
  result.at = {event.stack, writes.space().id, event.ip, event.time_ns};
  SiteSummary site;
  site.stack = event.stack;
  site.space = writes.space().id;
  site.ip = event.ip;
  if (left_ != 0) result.stack = copied(frames_.of(site));
  left_ -= std::min(left_, bytes_of(result));
  return result;
}

WatchSlot Judge::slot_of(const WatchSample& at_fork, const WatchSample& now,
                         const FirstBreaks& writes) {
  WatchSlot slot;
  slot.place = now.place;
  slot.address = now.slot;
  slot.frame = now.slot_frame;
  const FirstBreaks::Write* event = writes.break_of(now.slot);
  if (at_fork.slot != 0 && now.slot != at_fork.slot)
    slot.state = WatchSlot::State::Moved;
  else if (event != nullptr)
    slot.state = WatchSlot::State::Copied;
  else if (now.slot_frame != 0 && now.slot_frame == at_fork.slot_frame)
    slot.state = WatchSlot::State::Shared;
  slot.break_of_page = describe_if(event, writes);
  if (slot.state == WatchSlot::State::Shared)
    slot.in_place = describe_if(writes.reuse_of(now.slot), writes);
  return slot;
}

// The same object, at the same address: in the same frames?
void Judge::compare_pages(WatchSummary& summary, const WatchSample& at_fork, const WatchSample& now,
                          const FirstBreaks& writes) {
  const FirstBreaks::Write* first = writes.break_of(now.object);
  bool unexplained = false;
  bool unseen = false;
  const std::uint64_t start = page_of(now.start);
  summary.pages = now.frames.size();
  for (std::size_t i = 0; i < now.frames.size(); ++i) {
    const FirstBreaks::Write* event = writes.break_of(start + i * kPageSize);
    const std::uint64_t before = i < at_fork.frames.size() ? at_fork.frames[i] : 0;
    const bool moved = before != 0 && now.frames[i] != 0 && before != now.frames[i];
    if (event != nullptr) {
      ++summary.copied_pages;
      if (first == nullptr) first = event;
    } else if (moved) {
      unexplained = true;
    } else if (before == 0 || now.frames[i] == 0) {
      unseen = true;
    }
  }
  if (first != nullptr) {
    summary.state = WatchSummary::State::Copied;
    summary.break_of_page = describe(*first, writes);
  } else if (unexplained) {
    summary.reason = "its frame is another one, and no event of this capture says why";
  } else if (unseen || now.frames.empty()) {
    summary.reason = "its frames are not known";
  } else {
    summary.state = WatchSummary::State::Shared;
    summary.in_place = describe_if(writes.reuse_of(now.object), writes);
  }
}

WatchSummary Judge::judge(const model::Watch& watch, const FirstBreaks& writes) {
  const WatchSample& now = watch.last ? *watch.last : *watch.at_fork;
  WatchSummary summary;
  summary.expression = watch.expression;
  summary.process = writes.space().owner;
  summary.pid = session_.process(summary.process).pid;
  summary.seen = now.moment;
  summary.seen_ns = since_start(now.time_ns);
  summary.address = now.object;
  summary.frame = now.frame;
  summary.type = now.type;
  const bool was_there = watch.at_fork && watch.at_fork->outcome == WatchSample::Outcome::Found;
  if (was_there)
    summary.at_fork = {since_start(watch.at_fork->time_ns), watch.at_fork->object,
                       watch.at_fork->frame};
  if (now.outcome != WatchSample::Outcome::Found) {
    summary.state = now.outcome == WatchSample::Outcome::Missing ? WatchSummary::State::Missing
                                                                 : WatchSummary::State::Unknown;
    summary.reason = now.why;
    return summary;
  }
  summary.pages = now.frames.size();
  if (!watch.at_fork) {
    summary.reason = "shares nothing: it did not fork and was not forked";
    return summary;
  }
  if (now.slot != 0) summary.slot = slot_of(*watch.at_fork, now, writes);
  if (was_there && watch.at_fork->object == now.object && watch.at_fork->type == now.type) {
    compare_pages(summary, *watch.at_fork, now, writes);
    return summary;
  }
  summary.state = WatchSummary::State::Replaced;
  summary.reason = was_there ? "another object is there now" : "it was not there at the fork";
  if (summary.slot) summary.break_of_page = summary.slot->break_of_page;
  return summary;
}

}  // namespace

std::vector<WatchSummary> watch_summaries(const model::Session& session,
                                          const model::Facts& facts) {
  std::vector<WatchSummary> summaries;
  std::unordered_map<model::SpaceId, FirstBreaks> writes;
  Judge judge(session, facts);
  for (const model::Watch& watch : session.watches) {
    const model::AddressSpace* space = session.find_space(watch.space);
    if (space == nullptr || space->owner.value >= session.processes.size()) continue;
    if (!watch.last && !watch.at_fork) continue;
    const std::uint64_t since_ns = watch.at_fork ? watch.at_fork->time_ns : 0;
    const auto found = writes.try_emplace(watch.space, *space, since_ns).first;
    summaries.push_back(judge.judge(watch, found->second));
  }
  return summaries;
}

std::vector<StackPlace> watch_stacks(const model::Session& session) {
  std::vector<StackPlace> places;
  if (session.watches.empty()) return places;
  const auto add = [&](const std::optional<WatchBreak>& shown) {
    if (shown) places.push_back(shown->at);
  };
  for (const WatchSummary& watch : watch_summaries(session, {})) {
    add(watch.break_of_page);
    add(watch.in_place);
    if (!watch.slot) continue;
    add(watch.slot->break_of_page);
    add(watch.slot->in_place);
  }
  return places;
}

}  // namespace cowtrace::analysis
