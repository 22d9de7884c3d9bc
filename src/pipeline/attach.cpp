// SPDX-License-Identifier: Apache-2.0
#include "pipeline/attach.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>

#include "base/clock.h"
#include "base/privilege.h"
#include "base/units.h"
#include "process/cgroup_members.h"
#include "process/maps.h"
#include "process/proc_files.h"
#include "process/task_ids.h"

namespace cowtrace::pipeline {
namespace {

constexpr std::uint64_t kRescanNs =
    500'000'000;  // who joins a control group later is found so soon

// Why a process cannot be read that is there, and what to do.
tl::unexpected<Error> unreadable(const std::string& what, const Error& error) {
  if (const auto lack = powerless())
    return fail(what, fmt::format("{} ({})", lack->why, error.message()), lack->remedy);
  if (!has_capability(CAP_SYS_PTRACE))
    return fail(what, "this root lacks CAP_SYS_PTRACE (" + error.message() + ")",
                "run it as a root that has it");
  return fail(what, error.message() + ", even to root: the kernel or a security module protects it",
              "name another process");
}

// The process that `pid`, which may be one of its threads, is of.
Result<pid_t> process_of(pid_t pid) {
  const std::string what = fmt::format("cannot attach to {}", pid);
  const auto process = process::thread_group(pid);
  if (!process && kill(pid, 0) != 0 && errno == ESRCH)
    return fail(what, "there is no such process", "see ps -e");
  if (!process)
    return fail(what, "it is there, but /proc does not show it", "mount /proc without hidepid");
  if (*process == getpid()) return fail(what, "this is cowtrace itself", "name another process");
  const auto maps = process::read_maps(*process);
  if (!maps) return unreadable(what, maps.error());
  if (maps->empty())
    return fail(what, "it has no memory of its own: a kernel thread, or one that has ended",
                "name another process");
  return *process;
}

class Attachment {
 public:
  explicit Attachment(const AttachOptions& options) : options_(options) {}

  // Who is meant; before anything is loaded.
  Status find_targets();
  // What a report calls the command.
  [[nodiscard]] std::vector<std::string> command() const;
  Status start(Tracing& tracing);
  void loop();
  void finish();
  // "the control group NAME"
  [[nodiscard]] std::string group_names() const;

 private:
  Status search();
  Status seize_family();
  void search_again();
  void take_signals();
  // False: there is more.
  bool reap();
  [[nodiscard]] bool all_ended() const;

  const AttachOptions& options_;
  Tracing* tracing_ = nullptr;
  capture::Running running_;
  std::vector<std::filesystem::path> groups_;
  std::optional<pid_t> limited_;  // whose memory limit is the report's
  std::string trouble_;           // that a later search had last
  std::size_t seized_ = 0;        // of the session's processes, in their order
  std::uint64_t searched_ns_ = 0;
  bool stop_ = false;
};

Status Attachment::find_targets() {
  for (const pid_t pid : options_.pids) {
    const auto process = process_of(pid);
    if (!process) return tl::unexpected(process.error());
    running_.pids.push_back(*process);
  }
  for (const std::string& name : options_.cgroups) {
    // The top group would be the whole machine.
    if (name.empty()) return fail("--cgroup", "it is empty", "name a control group, or give --all");
    const auto found = process::find_cgroup(name);
    if (!found) return tl::unexpected(found.error());
    groups_.insert(groups_.end(), found->begin(), found->end());
  }
  const auto members = process::cgroup_members(groups_);
  if (!members) return tl::unexpected(members.error());
  // One limit for a whole machine would be that of somebody else.
  if (!running_.pids.empty())
    limited_ = running_.pids.front();
  else if (!members->empty())
    limited_ = members->front();
  running_.all = options_.all;
  return {};
}

std::vector<std::string> Attachment::command() const {
  if (options_.all) return {"--all"};
  if (!options_.pids.empty()) {
    auto words = process::read_cmdline(running_.pids.front());
    if (!words || words->empty()) return {fmt::format("{}", running_.pids.front())};
    // Who writes a title over them fills the rest with blanks or zeros.
    for (std::string& word : *words) word.erase(word.find_last_not_of(' ') + 1);
    while (words->size() > 1 && words->back().empty()) words->pop_back();
    return *words;
  }
  std::vector<std::string> words;
  for (const std::string& name : options_.cgroups) words.insert(words.end(), {"--cgroup", name});
  return words;
}

Status Attachment::search() {
  searched_ns_ = monotonic_ns();
  const auto members = process::cgroup_members(groups_);
  if (!members) return tl::unexpected(members.error());
  capture::Running running = running_;
  running.pids.insert(running.pids.end(), members->begin(), members->end());
  const auto found = tracing_->capture().track_running(running);
  if (!found) return tl::unexpected(found.error());
  if (*found > 0) tracing_->tick();
  return {};
}

Status Attachment::start(Tracing& tracing) {
  tracing_ = &tracing;
  if (limited_ && !options_.all) tracing.take_memory_limit_of(*limited_);
  if (auto begun = tracing.begin(); !begun) return begun;
  if (auto searched = search(); !searched) return searched;
  if (tracing.session().processes.empty() && groups_.empty())
    return fail("cannot attach", "the processes have ended", "name processes that run");
  if (tracing.exact())
    if (auto seized = seize_family(); !seized) return seized;
  const std::size_t count = tracing.session().processes.size();
  if (count == 0 && !options_.all)
    tracing.say(fmt::format(
        "no process is in {} yet: those that join are traced; Ctrl-C ends it and reports",
        group_names()));
  else if (options_.progress)
    tracing.say(fmt::format("attached to {} process{}{}", count, count == 1 ? "" : "es",
                            options_.view == nullptr ? "; Ctrl-C ends it and reports" : ""));
  return {};
}

std::string Attachment::group_names() const {
  std::string names = options_.cgroups.size() == 1 ? "the control group" : "the control groups";
  for (std::size_t i = 0; i < options_.cgroups.size(); ++i)
    names += (i == 0 ? " " : ", ") + printable(options_.cgroups[i]);
  return names;
}

// Processes may be forked until their parents are seized.
Status Attachment::seize_family() {
  const auto& processes = tracing_->session().processes;
  for (; seized_ < processes.size(); ++seized_) {
    if (processes[seized_].exit_ns) continue;
    if (auto seized = tracing_->follower().seize_running(processes[seized_].pid); !seized)
      return seized;
    tracing_->tick();
  }
  return {};
}

void Attachment::search_again() {
  const std::uint64_t now = monotonic_ns();
  if ((groups_.empty() && !options_.all) || now - searched_ns_ < kRescanNs) return;
  Status searched = search();
  if (searched && tracing_->exact()) searched = seize_family();
  if (searched || searched.error().message() == trouble_) return;
  trouble_ = searched.error().message();
  tracing_->say(trouble_);
}

void Attachment::take_signals() {
  signalfd_siginfo info{};
  while (tracing_->signals().next(info)) {
    const auto number = static_cast<int>(info.ssi_signo);
    if (number == SIGWINCH)
      options_.view->resized();
    else if (number != SIGCHLD)
      stop_ = true;
  }
}

bool Attachment::reap() {
  for (int i = 0, status = 0; i < kMostStops; ++i) {
    const pid_t tid = waitpid(-1, &status, __WALL | WNOHANG);
    if (tid <= 0) return true;
    tracing_->follower().handle(tid, status);
  }
  return false;
}

// The kernel tells of every end; that of a process which was ending when it was found, it may have
// told before.
bool Attachment::all_ended() const {
  if (options_.all || !groups_.empty()) return false;
  const auto& processes = tracing_->session().processes;
  return std::all_of(processes.begin(), processes.end(), [](const model::Process& process) {
    return process.exit_ns || (kill(process.pid, 0) != 0 && errno == ESRCH);
  });
}

void Attachment::loop() {
  for (bool all = true; !stop_ && !tracing_->over() && !all_ended();) {
    if (all) tracing_->wait_for_something();
    take_signals();
    all = !tracing_->exact() || reap();
    tracing_->tick();
    search_again();
  }
}

void Attachment::finish() {
  tracing_->finish(all_ended() ? "the processes have ended" : "left", [](pid_t, int) {});
  if (options_.view != nullptr) options_.view->close();
}

}  // namespace

Result<Traced> attach(const AttachOptions& options, Recorder& recorder) {
  Attachment attachment(options);
  if (auto found = attachment.find_targets(); !found) return tl::unexpected(found.error());
  auto tracing = Tracing::open(options, attachment.command(), recorder);
  if (!tracing) return tl::unexpected(tracing.error());
  if (auto started = attachment.start(**tracing); !started) {
    (*tracing)->finish("", [](pid_t, int) {});
    if (options.view != nullptr) options.view->close();
    return tl::unexpected(started.error());
  }
  attachment.loop();
  attachment.finish();
  Traced traced = (*tracing)->take();
  if (traced.session->processes.empty() && !options.cgroups.empty())
    traced.session->capture.notes.push_back(
        fmt::format("no process was in {} while it was traced", attachment.group_names()));
  return traced;
}

}  // namespace cowtrace::pipeline
