// SPDX-License-Identifier: Apache-2.0
// One capture of one family: takes events in, keeps the session, the audit and the objects up to
// date at each stop of the family.
#pragma once

#include <sys/types.h>

#include <deque>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "capture/capture.h"
#include "model/session.h"
#include "pipeline/auditor.h"
#include "pipeline/follower.h"
#include "pipeline/live.h"
#include "pipeline/object_capture.h"
#include "pipeline/python_capture.h"
#include "pipeline/recorder.h"
#include "pipeline/unwinder.h"
#include "pipeline/watcher.h"
#include "process/elf_module.h"

namespace cowtrace::pipeline {

class Family final : public StopHandler {
 public:
  // `stops`: a Follower calls on_start and its like. Without, objects are read as processes go by.
  // `debug_files`: asked by the resolver alone, when the family is gone; may be nullptr. `budget`:
  // what all files of its processes may cost.
  Family(capture::Capture& capture, model::Session& session, bool stops, const AuditLimits& limits,
         std::vector<python::Expression> watches, Recorder& recorder,
         std::shared_ptr<process::DebugSource> debug_files,
         const std::shared_ptr<process::DebugBudget>& budget);

  // Before the first event, with the privileges that tracing needs.
  void begin() { unwinder_.start(); }
  // Is told of all events from now on; outlives this.
  void set_live(Live& live);

  // Takes in all events that are there.
  void drain();
  std::optional<std::uint64_t> on_start(pid_t tid) override;
  bool waits_for_child(pid_t pid) override;
  void on_exec(pid_t pid) override;
  void on_last_exit(pid_t tid, pid_t pid) override;

  // The family has outgrown what exact snapshots may cost: let it go. Empty if not.
  [[nodiscard]] const std::string& outgrown() const { return outgrown_; }
  void outgrow(const std::string& why);
  // From now on nobody calls on_start and its like.
  void go_on_without_stops() { stops_ = false; }
  // All hooks are detached and all events taken in: what is still to be found out about them is.
  void finish_stacks();
  // After that: reads the kernel's counters and settles the session.
  void finish();
  [[nodiscard]] std::unique_ptr<model::Resolver> take_resolver() {
    return python_.take_resolver(objects_.take_resolver());
  }
  [[nodiscard]] std::uint64_t breaks() const { return breaks_; }
  [[nodiscard]] std::uint64_t copied_bytes() const { return copied_bytes_; }

 private:
  void take_all();
  void take_stacks();
  void take(model::Event&& event);
  void look_at_attached(model::ProcessKey key);
  void look_at_python(pid_t tid, const model::Process& child, const model::Process& parent);
  void look_at_sharer(pid_t tid, const model::Process* child);
  void look_at_changed_spaces();
  void warn_about_ptrace(pid_t pid);

  capture::Capture& capture_;
  model::Session& session_;
  Live* live_ = nullptr;
  bool stops_;
  Auditor auditor_;
  std::shared_ptr<process::ModuleCache> modules_;
  ObjectCapture objects_;
  PythonCapture python_;
  Watcher watcher_;
  Unwinder unwinder_;
  Recorder& recorder_;
  std::unordered_set<model::SpaceId>
      changed_;  // without stops: spaces with a mapping that is not captured yet
  std::deque<model::ProcessKey> attached_;    // that have not been looked at yet
  std::unordered_set<std::string> programs_;  // looked at by warn_about_ptrace
  std::string outgrown_;
  std::uint64_t undecodable_ = 0;
  std::uint64_t breaks_ = 0;
  std::uint64_t copied_bytes_ = 0;
};

}  // namespace cowtrace::pipeline
