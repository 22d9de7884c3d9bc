// SPDX-License-Identifier: Apache-2.0
#include "pipeline/follower.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/clock.h"
#include "process/proc_files.h"
#include "process/system_call.h"
#include "process/task_ids.h"

namespace cowtrace::pipeline {
namespace {

constexpr unsigned long kOptions = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                                   PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT;

// Is the exit of this stopped task the end of its whole process? By a fatal signal, or inside
// exit_group(2).
bool ends_process(pid_t tid) {
  unsigned long code = 0;
  if (ptrace(PTRACE_GETEVENTMSG, tid, nullptr, &code) == 0 && (code & 0x7f) != 0) return true;
  return process::is_in_exit_group(tid).value_or(true);
}

}  // namespace

Status Follower::seize(pid_t pid) {
  if (ptrace(PTRACE_SEIZE, pid, nullptr, kOptions) != 0)
    return fail_errno("cannot trace the command with ptrace", errno, "use --snapshot passive");
  tasks_[pid] = {.process = pid, .started = true, .exiting = false};
  return {};
}

Status Follower::seize_running(pid_t pid) {
  // What a seized thread makes is seized; others may make some meanwhile.
  for (bool is_news = true; is_news;) {
    is_news = false;
    const auto threads = process::list_threads(pid);
    if (!threads) return {};  // it has ended
    for (const pid_t tid : *threads) {
      if (tasks_.contains(tid)) continue;
      if (ptrace(PTRACE_SEIZE, tid, nullptr, kOptions) == 0) {
        tasks_[tid] = {.process = pid, .started = true, .exiting = false};
        is_news = true;
        continue;
      }
      const int error = errno;
      const auto stat = process::read_stat(tid);
      const bool has_ended = error == ESRCH || !stat || stat->state == 'Z' || stat->state == 'X';
      if (has_ended || process::tracer_of(tid) == getpid()) continue;
      return fail_errno(fmt::format("cannot trace {} with ptrace", pid), error,
                        "another program may trace it: use --snapshot passive");
    }
  }
  return {};
}

void Follower::resume(pid_t tid, int signal) {
  if (releasing_) {
    // ESRCH: killed while it stood still; its end is reported on its own.
    ptrace(PTRACE_DETACH, tid, nullptr, signal);
    tasks_.erase(tid);
    return;
  }
  ptrace(PTRACE_CONT, tid, nullptr, signal);
}

bool Follower::handle(pid_t tid, int status) {
  if (!WIFSTOPPED(status)) {
    if (const auto ended = tasks_.find(tid); ended != tasks_.end()) {
      if (ended->second.process == tid) ++not_replaced_;
      tasks_.erase(ended);
    }
    release_parent(tid);  // killed before it ran
    return false;
  }
  auto found = tasks_.find(tid);
  // A child's first stop can come before its parent's fork event.
  if (found == tasks_.end()) found = tasks_.emplace(tid, Task{}).first;
  Task& task = found->second;
  const int signal = WSTOPSIG(status);
  const int event = status >> 16;
  const std::uint64_t began = monotonic_ns();
  std::optional<std::uint64_t> stopped_at;
  if (event != 0)
    stopped_at = on_event(tid, task, event, signal);
  else
    resume(tid, signal);
  stopped_.add(began, monotonic_ns(), stopped_at);
  return true;
}

std::optional<std::uint64_t> Follower::on_event(pid_t tid, Task& task, int event, int signal) {
  unsigned long message = 0;
  std::optional<std::uint64_t> stopped_at;
  switch (event) {
    case PTRACE_EVENT_STOP:
      if (!task.started) {
        on_first_stop(tid, task);
        if (!releasing_) stopped_at = handler_.on_start(tid);
        break;
      }
      if (signal == SIGTRAP || releasing_) break;  // continued, or interrupted by release_all
      if (signal != SIGSTOP && tid == task.process) terminal_stop_ = tid;
      // The task stays stopped, as the shell expects, until SIGCONT.
      ptrace(PTRACE_LISTEN, tid, nullptr, nullptr);
      return {};
    case PTRACE_EVENT_EXEC:
      // The thread that called exec has taken the leader's id; the other threads are gone.
      ptrace(PTRACE_GETEVENTMSG, tid, nullptr, &message);
      if (static_cast<pid_t>(message) != tid) tasks_.erase(static_cast<pid_t>(message));
      tasks_[tid].exiting = false;
      if (!releasing_) handler_.on_exec(tid);
      break;
    case PTRACE_EVENT_EXIT:
      if (!releasing_) on_exit_event(tid, task);
      break;
    case PTRACE_EVENT_FORK:
      if (!releasing_ && hold(tid, task)) return {};
      break;
    default:  // vfork, clone: the child's own first stop tells all
      break;
  }
  resume(tid, 0);
  // Behind: the parent may end its child.
  if (event == PTRACE_EVENT_STOP) release_parent(tid);
  return stopped_at;
}

void Follower::on_first_stop(pid_t tid, Task& task) {
  task.started = true;
  task.process = process::thread_group(tid).value_or(tid);
  if (task.process != tid || not_replaced_ == 0) return;
  --not_replaced_;
  ++replaced_;
}

bool Follower::hold(pid_t tid, const Task& task) {
  unsigned long message = 0;
  if (ptrace(PTRACE_GETEVENTMSG, tid, nullptr, &message) != 0) return false;
  const auto child = static_cast<pid_t>(message);
  const auto found = tasks_.find(child);
  if ((found != tasks_.end() && found->second.started) || !handler_.waits_for_child(task.process))
    return false;
  held_[child] = tid;
  return true;
}

void Follower::release_parent(pid_t child) {
  const auto found = held_.find(child);
  if (found == held_.end()) return;
  const pid_t parent = found->second;
  held_.erase(found);
  if (tasks_.contains(parent)) resume(parent, 0);
}

void Follower::on_exit_event(pid_t tid, Task& task) {
  task.exiting = true;
  if (running_threads(task.process) == 0 || ends_process(tid))
    handler_.on_last_exit(tid, task.process);
}

std::size_t Follower::running_threads(pid_t process) const {
  return static_cast<std::size_t>(std::count_if(
      tasks_.begin(), tasks_.end(),
      [&](const auto& entry) { return entry.second.process == process && !entry.second.exiting; }));
}

bool Follower::sees_exits() const {
  // A first thread that has ended is told of when the others have.
  return std::any_of(tasks_.begin(), tasks_.end(), [this](const auto& entry) {
    return entry.second.exiting && running_threads(entry.second.process) == 0;
  });
}

void Follower::release_all() {
  releasing_ = true;
  while (!held_.empty()) release_parent(held_.begin()->first);
  for (const auto& [tid, task] : tasks_) ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr);
}

bool Follower::take_terminal_stop(pid_t pid) {
  if (terminal_stop_ != pid) return false;
  terminal_stop_.reset();
  return true;
}

}  // namespace cowtrace::pipeline
