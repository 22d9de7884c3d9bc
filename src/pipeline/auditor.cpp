// SPDX-License-Identifier: Apache-2.0
#include "pipeline/auditor.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/units.h"

namespace cowtrace::pipeline {

using process::FrameSnapshot;
using process::PageEntry;

namespace {

// Calls visit(page, frame) for each base page of the page of `size` bytes around `address`, whose
// own base page has `frame`. The frames of a huge page are consecutive.
template <typename Visit>
void for_each_base_page(std::uint64_t address, std::uint64_t frame, std::uint64_t size,
                        Visit&& visit) {
  if (size <= kPageSize) {
    visit(page_of(address), frame);
    return;
  }
  const std::uint64_t base = address / size * size;
  const std::uint64_t first = frame - (page_of(address) - base) / kPageSize;
  for (std::uint64_t i = 0; i < size / kPageSize; ++i) visit(base + i * kPageSize, first + i);
}

}  // namespace

// The frames that events gave to the pages of one address space, asked for page by page.
class Auditor::Known {
 public:
  explicit Known(model::AddressSpace& space) : events_(space.resolutions) {
    space.sort_resolutions();
    for (const model::Resolution& event : events_) {
      // A split gives no memory: only the copy that follows it does.
      if (event.size <= kPageSize || event.new_frame == 0 ||
          event.mechanism == model::Mechanism::HugeSplit)
        continue;
      for_each_base_page(
          event.address, event.new_frame, event.size,
          [this](std::uint64_t page, std::uint64_t frame) { huge_.emplace_back(page, frame); });
    }
    std::sort(huge_.begin(), huge_.end());
    next_ = events_.begin();
  }
  // Fastest when pages come in ascending order.
  [[nodiscard]] bool explains(std::uint64_t page, std::uint64_t frame) {
    const auto before = [](const model::Resolution& event, std::uint64_t limit) {
      return page_of(event.address) < limit;
    };
    if (next_ != events_.begin() && page_of(std::prev(next_)->address) >= page)
      next_ = std::lower_bound(events_.begin(), next_, page, before);
    while (next_ != events_.end() && before(*next_, page)) ++next_;
    for (auto event = next_; event != events_.end() && page_of(event->address) == page; ++event)
      if (event->new_frame == frame) return true;
    return std::binary_search(huge_.begin(), huge_.end(), std::pair(page, frame));
  }

 private:
  const model::Resolutions& events_;
  model::Resolutions::const_iterator next_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> huge_;  // (page, frame), sorted
};

Auditor::Member* Auditor::member_of(pid_t pid) {
  const model::Process* process = session_.find_pid(pid);
  if (process == nullptr) return nullptr;
  const auto found = members_.find(process->key);
  return found == members_.end() ? nullptr : &found->second;
}

bool Auditor::was_stopped_at_fork(model::ProcessKey key) const {
  const auto found = members_.find(key);
  return found != members_.end() && found->second.inherited;
}

std::optional<std::uint64_t> Auditor::inherited_bytes(model::ProcessKey key) const {
  if (const auto& settled = session_.process(key).inherited_bytes) return settled;
  const auto found = members_.find(key);
  if (found == members_.end() || !found->second.inherited) return std::nullopt;
  return found->second.inherited->frames.pages() * kPageSize;
}

Status Auditor::on_fork(pid_t tid, std::uint64_t now_ns) {
  if (!given_up_.empty()) return {};
  const model::Process* child = session_.find_pid(tid);
  // Threads, and children that share their parent's memory, inherit nothing.
  if (child == nullptr || !child->forked_from || child->spaces.size() != 1) return {};
  if (now_ns - second_ns_ > 1'000'000'000) {
    second_ns_ = now_ns;
    forks_in_second_ = 0;
  }
  if (++forks_in_second_ > limits_.forks_per_second)
    return fail(
        fmt::format("the command forks more than {} times a second", limits_.forks_per_second));

  FrameSnapshot::Limits limits;
  limits.max_bytes =
      held_bytes_ >= limits_.snapshot_bytes ? 0 : limits_.snapshot_bytes - held_bytes_;
  limits.zero_frame = limits_.zero_frame;
  limits.huge_zero_frame = limits_.huge_zero_frame;
  auto frames = FrameSnapshot::take(tid, limits);
  if (!frames) return tl::unexpected(frames.error());
  auto inherited = std::make_shared<Inherited>(std::move(*frames), held_bytes_);
  if (const model::AddressSpace* space = session_.find_space(child->spaces.front()))
    for (const model::Resolution& event : space->resolutions)
      if (event.new_frame != event.old_frame)
        inherited->rewound.try_emplace(page_of(event.address), event.old_frame);
  members_[child->key].inherited = inherited;
  members_[*child->forked_from].last_fork = inherited;
  return {};
}

void Auditor::on_exec(pid_t pid) {
  model::Process* process = session_.find_pid(pid);
  if (process == nullptr) return;
  if (Member* member = member_of(pid)) {
    if (member->inherited) process->inherited_bytes = member->inherited->frames.pages() * kPageSize;
    *member = {};
  }
  process->still_shared_bytes.reset();
  process->audit.reset();
  process->audit_missing = process->forked_from ? "it ran another program (exec)" : "";
}

void Auditor::note(const model::Populate& event) {
  const model::AddressSpace* space = session_.find_space(event.space);
  if (space == nullptr) return;
  const auto found = members_.find(space->owner);
  if (found == members_.end()) return;
  Member& member = found->second;
  for_each_base_page(event.address, event.new_frame, event.size,
                     [&](std::uint64_t page, std::uint64_t frame) {
                       for (const auto* held : {&member.inherited, &member.last_fork}) {
                         if (!*held || !(*held)->frames.frame_at(page)) continue;
                         member.populated[page] = frame;
                         return;
                       }
                     });
}

void Auditor::on_exit(pid_t tid, pid_t pid) {
  model::Process* process = session_.find_pid(pid);
  if (process == nullptr || process->spaces.empty() || !given_up_.empty()) return;
  Member& member = members_[process->key];
  if (member.exited) return;
  member.exited = true;
  if (session_.capture.detail == "counts")
    process->audit_missing = "--detail counts sends no events to compare with";
  FrameSnapshot::Limits limits;
  limits.zero_frame = limits_.zero_frame;
  limits.huge_zero_frame = limits_.huge_zero_frame;
  auto exit = FrameSnapshot::take(tid, limits);
  if (!exit) {
    process->audit_missing = exit.error().message();
    return;
  }
  process->anonymous_bytes = exit->pages() * kPageSize;
  compare(*process, member, *exit);
  // What this process forked off last is still the other side's own reference.
  member.inherited.reset();
  member.last_fork.reset();
  member.populated.clear();
}

void Auditor::compare(model::Process& process, Member& member, const FrameSnapshot& exit) {
  if (member.inherited) {
    std::uint64_t shared = 0;
    member.inherited->frames.for_each([&](std::uint64_t page, PageEntry entry) {
      const auto now = exit.frame_at(page);
      shared += now && now->frame() == member.inherited->frame(page, entry) && !now->exclusive();
    });
    process.inherited_bytes = member.inherited->frames.pages() * kPageSize;
    process.still_shared_bytes = shared * kPageSize;
  }
  // The memory that an exec ended has no exit; what the new program handed on to children of its
  // own can be audited.
  if (!process.audit_missing.empty() && session_.capture.detail != "counts" && member.last_fork) {
    process.audit_missing.clear();
    session_.capture.notes.push_back(fmt::format(
        "process {}: the audit speaks for the program that it ran last (exec)", process.pid));
  }
  if (!process.audit_missing.empty()) return;
  model::AddressSpace* space = session_.find_space(process.spaces.back());
  if (space == nullptr) return;
  Known known(*space);
  model::Audit audit;
  if (member.inherited) judge(*member.inherited, false, exit, known, member, audit);
  if (member.last_fork) judge(*member.last_fork, true, exit, known, member, audit);
  process.audit = std::move(audit);
}

// As a parent, a page that the snapshot saw mapped by the child alone, and that no event of ours
// explains, was not shared by the fork (a pinned page is copied inside it): it does not count.
void Auditor::judge(const Inherited& reference, bool as_parent, const FrameSnapshot& exit,
                    Known& known, const Member& member, model::Audit& audit) const {
  reference.frames.for_each([&](std::uint64_t page, PageEntry entry) {
    const auto now = exit.frame_at(page);
    const std::uint64_t then = reference.frame(page, entry);
    // 0: the child itself filled it before its first stop.
    if (!now || then == 0 || now->frame() == then) return;
    // Private against what it inherited itself: counted already.
    if (as_parent && member.inherited) {
      const auto own = member.inherited->frames.frame_at(page);
      if (own && now->frame() != member.inherited->frame(page, *own)) return;
    }
    if (known.explains(page, now->frame())) {
      ++audit.private_pages;
      ++audit.explained;
      return;
    }
    const auto populated = member.populated.find(page);
    if (populated != member.populated.end() && populated->second == now->frame()) return;
    if (as_parent && entry.exclusive() && !reference.rewound.contains(page)) return;
    ++audit.private_pages;
    ++audit.reasons[reason_of(*now)];
    if (audit.unexplained_pages.size() < model::Audit::kListed)
      audit.unexplained_pages.push_back(page);
  });
}

// Why no event gave the page this frame, as far as the frame tells.
const char* Auditor::reason_of(process::PageEntry now) const {
  const std::uint64_t flags = page_flags_.of(now.frame());
  if ((flags & process::PageFlags::kHuge) != 0) return "huge-page";
  if (!now.exclusive()) return "moved-by-kernel";
  return (flags & process::PageFlags::kLocked) != 0 ? "locked" : "remote-write";
}

void Auditor::give_up(std::string reason) {
  if (!given_up_.empty()) return;
  given_up_ = std::move(reason);
  members_.clear();
}

void Auditor::finish(bool lost) {
  for (model::Process& process : session_.processes) {
    if (process.audit) {
      auto& reasons = process.audit->reasons;
      // A write that was counted but whose event did not fit looks like one that nobody saw.
      for (const char* unseen : {"remote-write", "locked"}) {
        const auto found = reasons.find(unseen);
        if (!lost || found == reasons.end()) continue;
        reasons["lost-event"] += found->second;
        reasons.erase(found);
      }
      continue;
    }
    if (!process.audit_missing.empty()) continue;
    if (!given_up_.empty())
      process.audit_missing = given_up_;
    else if (process.spaces.empty())
      process.audit_missing = "it shared its parent's memory";
    else if (!process.exit_ns)
      process.audit_missing = "it was still running";
    else if (process.forked_from && !was_stopped_at_fork(process.key))
      process.audit_missing =
          "it was not stopped at its fork (CLONE_UNTRACED), or was killed before";
    else
      process.audit_missing = "it was killed before its page tables could be read";
  }
}

}  // namespace cowtrace::pipeline
