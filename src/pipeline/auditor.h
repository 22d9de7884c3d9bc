// SPDX-License-Identifier: Apache-2.0
// The tool's conscience: what each process inherited at fork, what of it is still shared at exit,
// and whether every page that became private is explained by an event.
//
// Reference frames come from the child's own page tables at its first stop, rewound by what it had
// already broken by then; the fork gave the parent the same frames, so one snapshot serves both
// sides and the parent's other threads need not stand still.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/session.h"
#include "process/frame_snapshot.h"
#include "process/page_flags.h"

namespace cowtrace::pipeline {

struct AuditLimits {
  std::uint64_t zero_frame = 0;  // process::find_zero_frames
  std::uint64_t huge_zero_frame = 0;
  std::uint64_t snapshot_bytes = std::uint64_t{512}
                                 << 20;  // of all snapshots held at one time: 8 bytes a page
  std::uint64_t forks_per_second = 2000;
};

class Auditor {
 public:
  Auditor(model::Session& session, const AuditLimits& limits)
      : session_(session), limits_(limits) {}

  // The stopped task `tid` was just forked and its events so far have been applied. Fails when the
  // family has outgrown the budget.
  Status on_fork(pid_t tid, std::uint64_t now_ns);
  // What `key` inherited, as far as it is known by now.
  [[nodiscard]] std::optional<std::uint64_t> inherited_bytes(model::ProcessKey key) const;
  void on_exec(pid_t pid);
  // The stopped task `tid` is the last of `pid`, and its events have been applied.
  void on_exit(pid_t tid, pid_t pid);
  void note(const model::Populate& event);
  // The command is over: settle what is still open. `lost`: some events did not arrive.
  void finish(bool lost);

  // From now on there are no more snapshots; `reason` is given to every process that has no audit
  // yet.
  void give_up(std::string reason);

 private:
  // What a fork handed on; `held` is the sum of all there are.
  struct Inherited {
    Inherited(process::FrameSnapshot taken, std::uint64_t& held)
        : frames(std::move(taken)), held_bytes(held) {
      held_bytes += frames.bytes_used();
    }
    Inherited(const Inherited&) = delete;
    Inherited& operator=(const Inherited&) = delete;
    ~Inherited() { held_bytes -= frames.bytes_used(); }

    const process::FrameSnapshot frames;
    std::unordered_map<std::uint64_t, std::uint64_t>
        rewound;  // page -> frame before the child's own first break
    std::uint64_t& held_bytes;

    [[nodiscard]] std::uint64_t frame(std::uint64_t page, process::PageEntry entry) const {
      const auto found = rewound.find(page);
      return found == rewound.end() ? entry.frame() : found->second;
    }
  };
  struct Member {
    std::shared_ptr<const Inherited> inherited;                  // at its own fork
    std::shared_ptr<const Inherited> last_fork;                  // at the last fork it made
    std::unordered_map<std::uint64_t, std::uint64_t> populated;  // page -> frame it got anew
    bool exited = false;
  };
  class Known;  // what events say about a space's pages

  void compare(model::Process& process, Member& member, const process::FrameSnapshot& exit);
  void judge(const Inherited& reference, bool as_parent, const process::FrameSnapshot& exit,
             Known& known, const Member& member, model::Audit& audit) const;
  Member* member_of(pid_t pid);
  [[nodiscard]] const char* reason_of(process::PageEntry now) const;
  [[nodiscard]] bool was_stopped_at_fork(model::ProcessKey key) const;

  model::Session& session_;
  AuditLimits limits_;
  std::uint64_t held_bytes_ = 0;  // by all that members hold: before them
  std::unordered_map<model::ProcessKey, Member> members_;
  process::PageFlags page_flags_;
  std::string given_up_;
  std::uint64_t second_ns_ = 0;  // the second that forks are counted in
  std::uint64_t forks_in_second_ = 0;
};

}  // namespace cowtrace::pipeline
