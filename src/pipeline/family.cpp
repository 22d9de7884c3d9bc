// SPDX-License-Identifier: Apache-2.0
#include "pipeline/family.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/clock.h"
#include "base/say.h"
#include "base/units.h"
#include "process/elf_imports.h"
#include "process/proc_files.h"
#include "process/task_ids.h"

namespace cowtrace::pipeline {

Family::Family(capture::Capture& capture, model::Session& session, bool stops,
               const AuditLimits& limits, std::vector<python::Expression> watches,
               Recorder& recorder, std::shared_ptr<process::DebugSource> debug_files,
               const std::shared_ptr<process::DebugBudget>& budget)
    : capture_(capture),
      session_(session),
      stops_(stops),
      auditor_(session, limits),
      modules_(std::make_shared<process::ModuleCache>(std::move(debug_files), budget)),
      objects_(session, modules_),
      python_(capture, session, *modules_),
      watcher_(std::move(watches), session, *modules_),
      unwinder_(capture, budget),
      recorder_(recorder) {
  if (!stops) auditor_.give_up(fmt::format("--snapshot {}", session.capture.snapshot));
}

void Family::set_live(Live& live) {
  live_ = &live;
  live.set_inherited([this](model::ProcessKey key) { return auditor_.inherited_bytes(key); });
  objects_.set_listener(&live.listener());
  python_.set_listener(&live.listener());
}

void Family::take_all() {
  undecodable_ += capture_.drain([this](model::Event&& event) { take(std::move(event)); });
  take_stacks();
}

void Family::take_stacks() {
  for (model::Stack& stack : unwinder_.answers()) take(std::move(stack));
}

void Family::finish_stacks() {
  unwinder_.finish();
  take_stacks();
}

void Family::drain() {
  take_all();
  // Looking at one takes a while, and others write meanwhile.
  while (!attached_.empty()) {
    look_at_attached(attached_.front());
    attached_.pop_front();
    take_all();
  }
  if (!stops_) look_at_changed_spaces();
  watcher_.look_at_touched();
}

void Family::take(model::Event&& event) {
  if (const auto* populate = std::get_if<model::Populate>(&event)) {
    auditor_.note(*populate);
    return;
  }
  if (const auto* resolution = std::get_if<model::Resolution>(&event)) {
    if (is_break(resolution->mechanism)) {
      ++breaks_;
      copied_bytes_ += resolution->size;
    }
    watcher_.on_event(*resolution);
  }
  if (const auto* mapping = std::get_if<model::Mapping>(&event)) changed_.insert(mapping->space);
  session_.apply(event);
  recorder_.add(event);
  if (live_ != nullptr) live_->take(event);
  if (const auto* stack = std::get_if<model::Stack>(&event)) python_.on_stack(*stack);
  if (const auto* attach = std::get_if<model::Attach>(&event))
    if (const model::Process* process = session_.find_pid(attach->pid); process != nullptr)
      attached_.push_back(process->key);
  const auto* fork = std::get_if<model::Fork>(&event);
  if (stops_ || fork == nullptr || fork->shares_memory) return;
  objects_.inherit(fork->child_pid, fork->child_space, fork->parent_space);
  if (const model::Process* child = session_.find_pid(fork->child_pid);
      child != nullptr && child->forked_from)
    look_at_python(fork->child_pid, *child, session_.process(*child->forked_from));
}

// What is there is what there was when it was forked, as far as it is still shared.
void Family::look_at_attached(model::ProcessKey key) {
  const model::Process& process = session_.process(key);
  // None of its own: it runs in the memory of another one.
  if (process.exit_ns || process.spaces.empty()) return;
  objects_.capture(process.pid, process.spaces.back());
  python_.on_attach(process);
}

void Family::look_at_python(pid_t tid, const model::Process& child, const model::Process& parent) {
  const auto heap =
      stops_ ? python_.on_fork(tid, child, parent) : python_.on_running_fork(child, parent);
  if (heap == nullptr || !watcher_.active()) return;
  if (stops_)
    watcher_.on_fork(tid, child, parent, *heap);
  else
    watcher_.on_running_fork(child, parent, heap->runtime());
}

// A new mapping is told just before the first break in it: its process is likely to live still.
void Family::look_at_changed_spaces() {
  for (const model::SpaceId id : std::exchange(changed_, {})) {
    const model::AddressSpace* space = session_.find_space(id);
    if (space == nullptr || space->owner.value >= session_.processes.size()) continue;
    const model::Process& owner = session_.process(space->owner);
    if (!owner.exit_ns && !owner.spaces.empty() && owner.spaces.back() == id)
      objects_.capture(owner.pid, id);
  }
}

std::optional<std::uint64_t> Family::on_start(pid_t tid) {
  // What it waited for a processor is not a matter of its stop.
  const std::uint64_t waited = process::read_run_delay(tid).value_or(0);
  drain();
  const model::Process* child = session_.find_pid(tid);
  if (watcher_.active()) look_at_sharer(tid, child);
  if (child == nullptr || !child->forked_from || child->spaces.size() != 1) return {};
  if (auto snapshot = auditor_.on_fork(tid, monotonic_ns()); !snapshot)
    outgrow(snapshot.error().message());
  const model::Process& parent = session_.process(*child->forked_from);
  if (!parent.spaces.empty()) objects_.inherit(tid, child->spaces.front(), parent.spaces.back());
  look_at_python(tid, *child, parent);
  return child->fork_ns ? std::optional(*child->fork_ns + waited) : std::nullopt;
}

void Family::outgrow(const std::string& why) {
  if (!outgrown_.empty()) return;
  outgrown_ = why;
  auditor_.give_up("exact snapshots were given up: " + why);
}

// A thread, or a vfork child: its memory is that of a process which this is an occasion to look at.
void Family::look_at_sharer(pid_t tid, const model::Process* child) {
  const model::Process* process = nullptr;
  if (child == nullptr) {
    const auto pid = process::thread_group(tid);
    process = pid ? session_.find_pid(*pid) : nullptr;
  } else if (!child->forked_from && child->parent) {
    process = &session_.process(*child->parent);
  }
  if (process != nullptr && !process->spaces.empty() && python_.may_be_python(tid))
    watcher_.on_clone(tid, process->spaces.back());
}

// The Python frames of the parent's first breaks are found only when its interpreter is known.
bool Family::waits_for_child(pid_t pid) {
  const model::Process* parent = session_.find_pid(pid);
  return parent != nullptr && python_.is_news(pid, *parent);
}

void Family::on_exec(pid_t pid) {
  drain();
  auditor_.on_exec(pid);
  warn_about_ptrace(pid);
}

void Family::on_last_exit(pid_t tid, pid_t pid) {
  // What its stacks need is read from it.
  unwinder_.settle();
  drain();
  auditor_.on_exit(tid, pid);
  const model::Process* process = session_.find_pid(pid);
  if (process == nullptr || process->spaces.empty()) return;
  objects_.capture(tid, process->spaces.back());
  if (watcher_.active() && python_.may_be_python(tid))
    watcher_.on_exit(tid, process->spaces.back());
}

// A process has one tracer: a debugger in the family would find its children taken.
void Family::warn_about_ptrace(pid_t pid) {
  const auto exe = process::read_exe(pid);
  if (!exe || !programs_.insert(*exe).second) return;
  const auto imports = process::imports_symbol(fmt::format("/proc/{}/exe", pid), "ptrace");
  if (!imports || !*imports) return;
  const std::string name = printable(exe->substr(exe->rfind('/') + 1));
  say(fmt::format(
      "{} uses ptrace, which is taken while it is traced: to trace it, use --snapshot passive",
      name));
  session_.capture.notes.push_back(
      fmt::format("{} uses ptrace; --snapshot passive leaves it free", name));
}

void Family::finish() {
  auto& info = session_.capture;
  const capture::Counters counters = capture_.counters();
  info.totals = counters.totals;
  info.lost_events = counters.lost;
  info.lost_control = counters.lost_control;
  info.unfinished_faults = counters.unfinished;
  info.untracked_tasks = counters.untracked;
  info.undecodable_events = undecodable_;
  info.blind_spots = capture_.blind_spots();
  for (const std::string& note : capture_.notes()) info.notes.push_back(note);
  for (const std::string& note : objects_.notes()) info.notes.push_back(note);
  for (const std::string& note : python_.notes()) info.notes.push_back(note);
  objects_.finish();
  watcher_.finish();
  for (const std::string& note : watcher_.notes()) info.notes.push_back(note);
  const auto unread = std::count_if(session_.spaces.begin(), session_.spaces.end(),
                                    [this](const model::AddressSpace& space) {
                                      return !space.mappings.empty() && !objects_.knows(space.id);
                                    });
  if (unread > 0)
    info.notes.push_back(fmt::format(
        "{} ended before {} memory map could be read: objects and functions there have no names",
        unread == 1 ? "1 address space" : fmt::format("{} address spaces", unread),
        unread == 1 ? "its" : "their"));
  const std::pair<std::uint64_t, const char*> oddities[] = {
      {counters.walk_failed, "faults whose page tables could not be read"},
      {counters.lost_populates,
       "refilled pages that the audit was not told of, for the ring buffer was full"},
      {counters.lost_copies,
       "stacks that were cut short, for there were too many at once to be unwound"},
      {counters.skipped,
       "runs of hooks, at most and perhaps none, that the kernel left out, so that breaks may be "
       "missing"},
      {counters.mapping_busy, "breaks whose mapping was locked, so that it is taken from /proc"}};
  for (const auto& [count, what] : oddities)
    if (count > 0) info.notes.push_back(fmt::format("{}: {}", what, human_count(count)));
  if (info.detail == "counts") {
    if (auto rows = capture_.page_counts()) {
      for (const capture::PageCountRow& row : *rows)
        if (model::AddressSpace* space = session_.find_space(row.space))
          space->page_counts.push_back(row.row);
    } else {
      info.notes.push_back(
          fmt::format("no pages are listed, totals alone: {}", rows.error().message()));
    }
  }
  session_.finish();
  auditor_.finish(counters.lost > 0 || counters.skipped > 0);
}

}  // namespace cowtrace::pipeline
