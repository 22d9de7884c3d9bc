// SPDX-License-Identifier: Apache-2.0
// Follows a process family with ptrace, stopping only where memory changes hands: fork, exec and
// exit. Signals, job control and exit codes pass through. Seized, never with EXITKILL: if the
// tracer dies, the family goes on.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "base/result.h"
#include "pipeline/stopped_time.h"

namespace cowtrace::pipeline {

// What the follower's owner does while a task stands still.
class StopHandler {
 public:
  virtual ~StopHandler() = default;
  // The new task (process or thread) `tid` is about to run its first instruction. Returns when it
  // stopped for that, CLOCK_MONOTONIC; none: not known.
  virtual std::optional<std::uint64_t> on_start(pid_t tid) = 0;
  // `pid` has forked: is the task that did to stand still until on_start() of the child is over?
  virtual bool waits_for_child(pid_t pid) = 0;
  // `pid` runs a new program; its old memory is gone.
  virtual void on_exec(pid_t pid) = 0;
  // `tid` is the last of its process that will run: the memory is still there. Read it through
  // `tid`.
  virtual void on_last_exit(pid_t tid, pid_t pid) = 0;
};

class Follower {
 public:
  explicit Follower(StopHandler& handler) : handler_(handler) {}

  // `pid` must be a child of ours that has one thread.
  Status seize(pid_t pid);
  // All threads of a process that runs; those that are followed already stay so.
  Status seize_running(pid_t pid);
  // One status that waitpid(-1, ..., __WALL) gave for a traced task. True if it was a stop that has
  // been handled here.
  bool handle(pid_t tid, int status);
  // Lets every task go: those that run are interrupted for a moment. Call handle() with what
  // waitpid gives until `following()` is false.
  void release_all();
  [[nodiscard]] bool following() const { return !tasks_.empty(); }
  // Time in which some task stood still so far.
  [[nodiscard]] std::uint64_t stopped_ns() const { return stopped_.ns(); }
  // How many processes started after another process had ended; each end is counted once. The
  // figure grows in a family that forks all the time. It stays small in a family whose processes
  // start together and end together.
  [[nodiscard]] std::uint64_t replaced() const { return replaced_; }
  // Is a process at its exit whose end is still to be told?
  [[nodiscard]] bool sees_exits() const;
  [[nodiscard]] bool traces(pid_t tid) const { return tasks_.contains(tid); }
  // Since the last call, a stop signal from the terminal stopped `pid`'s whole process: the owner
  // should stop too.
  [[nodiscard]] bool take_terminal_stop(pid_t pid);

 private:
  struct Task {
    pid_t process = 0;     // thread group id
    bool started = false;  // its first stop is over
    bool exiting = false;
  };

  void on_first_stop(pid_t tid, Task& task);
  // When the task stopped, if that is known.
  std::optional<std::uint64_t> on_event(pid_t tid, Task& task, int event, int signal);
  void on_exit_event(pid_t tid, Task& task);
  void resume(pid_t tid, int signal);
  // Has `tid` wait for its child, if that is wanted.
  bool hold(pid_t tid, const Task& task);
  // Lets the task go that waits for this child, if there is one.
  void release_parent(pid_t child);
  [[nodiscard]] std::size_t running_threads(pid_t process) const;

  StopHandler& handler_;
  std::unordered_map<pid_t, Task> tasks_;
  std::unordered_map<pid_t, pid_t> held_;  // child that has not started -> task that waits for it
  StoppedTime stopped_;
  std::uint64_t not_replaced_ = 0;  // processes that have ended, less `replaced_`
  std::uint64_t replaced_ = 0;
  bool releasing_ = false;
  std::optional<pid_t> terminal_stop_;
};

}  // namespace cowtrace::pipeline
