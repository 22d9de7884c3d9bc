// SPDX-License-Identifier: Apache-2.0
// --watch: looks, from outside, at what expressions lead to in every Python process of the family:
// at fork, after breaks of the pages that the answer relies on, and at exit.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "model/session.h"
#include "process/elf_module.h"
#include "python/evaluate.h"
#include "python/heap.h"

namespace cowtrace::pipeline {

class Watcher {
 public:
  Watcher(std::vector<python::Expression> expressions, model::Session& session,
          process::ModuleCache& modules)
      : expressions_(std::move(expressions)), session_(session), modules_(modules) {}

  [[nodiscard]] bool active() const { return !expressions_.empty(); }

  // The stopped task `tid` was just forked, and `heap` is what it inherited; its events so far have
  // been applied.
  void on_fork(pid_t tid, const model::Process& child, const model::Process& parent,
               const python::Heap& heap);
  // The same of a child that runs already, and may have written: what it inherited is looked up in
  // its parent, which runs too.
  void on_running_fork(const model::Process& child, const model::Process& parent,
                       const python::Runtime& runtime);
  void on_event(const model::Resolution& event);
  // Looks again where something that was relied on has been written. Processes run meanwhile.
  void look_at_touched();
  // The stopped task `tid` is new and shares the memory of a process: a thread or a vfork child.
  void on_clone(pid_t tid, model::SpaceId space);
  // The stopped task `tid` is the last of a process, whose memory is still there.
  void on_exit(pid_t tid, model::SpaceId space);
  // Nothing more will be captured: looks at what is still alive, and gives what was seen to the
  // session.
  void finish();

  // What could not be looked at, each thing once.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

 private:
  struct Known {
    std::optional<python::Runtime> runtime;
    std::vector<model::Watch> watches;        // one an expression
    std::unordered_set<std::uint64_t> pages;  // that the answers rely on
    int looks_due = 0;  // a break comes before its write: one look may be too early
    std::uint64_t not_before_ns = 0;
    bool over = false;  // the program has ended, or takes itself apart
  };

  Known& known(model::SpaceId space);
  void look_at_inherited(pid_t tid, model::SpaceId of_tid, const model::Process& child,
                         const model::Process& parent, const python::TypeTable& types,
                         const python::Runtime& runtime);
  void look(pid_t tid, Known& known, model::WatchSample::Moment moment);
  [[nodiscard]] bool is_over(pid_t tid, const python::Runtime& runtime);
  [[nodiscard]] const model::Process* living_owner(model::SpaceId space) const;

  std::vector<python::Expression> expressions_;
  model::Session& session_;
  process::ModuleCache& modules_;
  std::unordered_map<model::SpaceId, Known> known_;
  std::vector<model::SpaceId> order_;  // in which they were met
  std::vector<std::string> notes_;
};

}  // namespace cowtrace::pipeline
