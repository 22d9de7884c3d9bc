// SPDX-License-Identifier: Apache-2.0
// What `run`, `attach` and `top` have in common: one capture of one family, from its opening to the
// session and the resolver that it leaves.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "capture/capture.h"
#include "model/objects.h"
#include "model/session.h"
#include "pipeline/debuginfod.h"
#include "pipeline/family.h"
#include "pipeline/follower.h"
#include "pipeline/live.h"
#include "pipeline/progress.h"
#include "pipeline/recorder.h"
#include "pipeline/signals.h"
#include "pipeline/throttle.h"
#include "pipeline/traced.h"
#include "process/debug_budget.h"
#include "top/view.h"

namespace cowtrace::pipeline {

enum class SnapshotMode { Exact, Passive, Off };

// That are taken in a row, before signals and events are: a family that forks all the time has
// always one more.
inline constexpr int kMostStops = 64;

struct TraceOptions {
  std::string backend = "auto";
  capture::CaptureOptions capture;
  SnapshotMode snapshot = SnapshotMode::Exact;
  bool insists_on_exact =
      false;  // asked for: exact snapshots stay, however slow they make the family
  std::optional<std::uint64_t> duration_ns;
  bool progress = true;
  std::vector<std::string>
      watches;  // expressions, as python::parse_expression() takes them; none with a view
  top::View* view = nullptr;  // shows the capture while it runs; open() and close() are called
};

class Tracing {
 public:
  // Loads and attaches; nobody is traced yet. `options` and `recorder` outlive this; everything is
  // told to `recorder` while it happens.
  static Result<std::unique_ptr<Tracing>> open(const TraceOptions& options,
                                               std::vector<std::string> command,
                                               Recorder& recorder);
  Tracing(const Tracing&) = delete;
  Tracing& operator=(const Tracing&) = delete;

  [[nodiscard]] capture::Capture& capture() { return *capture_; }
  [[nodiscard]] Follower& follower() { return follower_; }
  // Grows with each tick().
  [[nodiscard]] const model::Session& session() const { return *session_; }
  // Events until finish().
  [[nodiscard]] const Signals& signals() const { return signals_; }
  [[nodiscard]] bool exact() const { return options_.snapshot == SnapshotMode::Exact; }
  [[nodiscard]] std::uint64_t elapsed_ns() const;

  // The memory limit of a report is that of this process.
  void take_memory_limit_of(pid_t pid);
  // Privileges that nothing needs any more are given up, the capture's time begins, and the view
  // opens.
  Status begin();
  // Also wait_for_something() ends when this is readable; -1: nothing.
  void add_to_poll(int fd) const;
  // Until something may have happened, for 50 ms at most.
  void wait_for_something() const;
  // Takes in what has happened.
  void tick();
  // --duration is over, or who looks at the view has left.
  [[nodiscard]] bool over() const;
  // One line on standard error, or on the view.
  void say(const std::string& text);
  // What stops those that are traced by the terminal's will stops us too, so that the shell gets
  // its prompt back.
  void stop_with_terminal();
  // Detaches, lets everything go, and takes in the rest. `why` is for the view. `on_status`: of a
  // child that is not traced any more.
  void finish(const std::string& why, const std::function<void(pid_t tid, int status)>& on_status);
  // Before finish(), when COMMAND has ended: takes in the ends of those that were killed with it,
  // which are still on their way. Those that run on are not waited for, and nobody is for longer
  // than a moment.
  void await_ends(const std::function<void(pid_t tid, int status)>& on_status);
  // After finish(); once.
  [[nodiscard]] Traced take();

 private:
  Tracing(const TraceOptions& options, std::vector<python::Expression> watches,
          std::unique_ptr<capture::Capture> capture, const AuditLimits& limits,
          std::vector<std::string> command, Recorder& recorder,
          std::shared_ptr<Debuginfod> debuginfod);
  void give_up_stops();
  void reap(const std::function<void(pid_t, int)>& on_status);
  [[nodiscard]] bool somebody_is_ending(std::set<pid_t>& ending) const;
  void look_who_has_the_terminal();
  void release_family(const std::function<void(pid_t, int)>& on_status);

  const TraceOptions& options_;
  std::unique_ptr<capture::Capture> capture_;
  std::unique_ptr<model::Session> session_;
  Signals signals_;
  std::shared_ptr<Debuginfod> debuginfod_;
  std::shared_ptr<process::DebugBudget> debug_budget_ = std::make_shared<process::DebugBudget>();
  std::optional<Live> live_;
  Family family_;
  Recorder& recorder_;
  Follower follower_;
  Throttle throttle_;
  Progress progress_;
  std::size_t looked_at_ = 0;  // of the session's processes
  Fd poll_;
  bool expired_ = false;  // --duration
};

}  // namespace cowtrace::pipeline
