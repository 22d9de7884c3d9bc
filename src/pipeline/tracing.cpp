// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tracing.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <string_view>
#include <utility>

#include "analysis/endings.h"
#include "base/clock.h"
#include "base/say.h"
#include "base/units.h"
#include "base/urgency.h"
#include "pipeline/ending.h"
#include "pipeline/oom_score.h"
#include "pipeline/privileges.h"
#include "pipeline/stage_line.h"
#include "process/cgroup_memory.h"
#include "process/ending.h"
#include "process/proc_files.h"
#include "process/zero_frames.h"
#include "python/expression.h"

namespace cowtrace::pipeline {
namespace {

constexpr int kTickMs = 50;        // how long events may lie in a ring buffer that is not half full
constexpr unsigned kLookUs = 500;  // between looks at those that end
constexpr std::uint64_t kReleaseNs = 2'000'000'000;  // longest wait for tasks to be let go

std::string_view name(SnapshotMode mode) {
  switch (mode) {
    case SnapshotMode::Exact:
      return "exact";
    case SnapshotMode::Passive:
      return "passive";
    case SnapshotMode::Off:
      return "off";
  }
  return "off";
}

Result<std::vector<python::Expression>> parse_watches(const std::vector<std::string>& texts) {
  std::vector<python::Expression> watches;
  for (const std::string& text : texts) {
    auto expression = python::parse_expression(text);
    if (!expression)
      return fail("--watch " + printable(text), expression.error().message(),
                  "write it as sys.modules['json'] or myapp.config.RULES[12]");
    watches.push_back(std::move(*expression));
  }
  return watches;
}

std::unique_ptr<model::Session> new_session(const TraceOptions& options,
                                            const capture::Capture& capture,
                                            std::vector<std::string> command) {
  auto session = std::make_unique<model::Session>();
  model::CaptureInfo& info = session->capture;
  utsname system{};
  uname(&system);
  info.command = std::move(command);
  info.backend = capture.backend();
  info.kernel = system.release;
  info.arch = system.machine;
  info.detail = options.capture.counts_only ? "counts" : "events";
  info.snapshot = name(options.snapshot);
  info.allocators = options.capture.first_writes;
  return session;
}

}  // namespace

Result<std::unique_ptr<Tracing>> Tracing::open(const TraceOptions& options,
                                               std::vector<std::string> command,
                                               Recorder& recorder) {
  auto watches = parse_watches(options.watches);
  if (!watches) return tl::unexpected(watches.error());
  // First of all: it inherits nothing that the capture opens.
  auto debuginfod = Debuginfod::start_if_wanted(options.progress);
  const process::ZeroFrames zero = process::find_zero_frames();
  auto capture_options = options.capture;
  capture_options.zero_frame = zero.page;
  capture_options.audit = options.snapshot == SnapshotMode::Exact && !capture_options.counts_only;
  capture_options.wake_early = options.snapshot != SnapshotMode::Exact;
  capture_options.available_memory = process::available_memory();
  auto capture = capture::open_capture(options.backend, capture_options);
  if (!capture) return tl::unexpected(capture.error());
  AuditLimits limits;
  limits.zero_frame = zero.page;
  limits.huge_zero_frame = zero.huge_page;
  return std::unique_ptr<Tracing>(new Tracing(options, std::move(*watches), std::move(*capture),
                                              limits, std::move(command), recorder,
                                              std::move(debuginfod)));
}

Tracing::Tracing(const TraceOptions& options, std::vector<python::Expression> watches,
                 std::unique_ptr<capture::Capture> capture, const AuditLimits& limits,
                 std::vector<std::string> command, Recorder& recorder,
                 std::shared_ptr<Debuginfod> debuginfod)
    : options_(options),
      capture_(std::move(capture)),
      session_(new_session(options, *capture_, std::move(command))),
      signals_(options.view != nullptr),
      debuginfod_(std::move(debuginfod)),
      family_(*capture_, *session_, options.snapshot == SnapshotMode::Exact, limits,
              std::move(watches), recorder, debuginfod_, debug_budget_),
      recorder_(recorder),
      follower_(family_),
      progress_(options.progress && options.view == nullptr && options.capture.attach),
      poll_(epoll_create1(EPOLL_CLOEXEC)) {
  for (const int fd : {signals_.fd(), capture_->poll_fd()}) add_to_poll(fd);
}

void Tracing::take_memory_limit_of(pid_t pid) {
  const auto limit = process::memory_limit(pid);
  if (!limit) return;
  session_->capture.memory_limit = limit->bytes;
  session_->capture.memory_limit_of = limit->of;
}

Status Tracing::begin() {
  make_room_for_descriptors(poll_);
  {
    // Until rules for a new address are there, each break that meets it sends a copy of its stack,
    // of which there is only so much room.
    const Urgency urgency;
    do_not_count_for_oom(capture_->mapped_bytes());
    if (auto less = keep_what_tracing_needs(); !less)
      session_->capture.notes.push_back("cowtrace kept all of its privileges: " +
                                        less.error().message());
    family_.begin();
  }
  session_->capture.started_at_unix_ns = static_cast<std::int64_t>(clock_ns(CLOCK_REALTIME));
  session_->capture.started_ns = monotonic_ns();
  recorder_.begin(session_->capture);
  if (options_.view == nullptr) return {};
  if (auto opened = options_.view->open(); !opened) return opened;
  add_to_poll(options_.view->changed_fd());
  live_.emplace(*options_.view, *capture_, *session_);
  family_.set_live(*live_);
  return {};
}

std::uint64_t Tracing::elapsed_ns() const {
  return monotonic_ns() - session_->capture.started_ns;
}

void Tracing::add_to_poll(int fd) const {
  if (fd < 0) return;
  epoll_event event{};
  event.events = EPOLLIN;
  epoll_ctl(poll_.get(), EPOLL_CTL_ADD, fd, &event);
}

void Tracing::wait_for_something() const {
  epoll_event events[4];
  epoll_wait(poll_.get(), events, 4, kTickMs);
}

void Tracing::tick() {
  family_.drain();
  const std::uint64_t now = monotonic_ns();
  recorder_.flush_if_due(now);
  const std::uint64_t elapsed = now - session_->capture.started_ns;
  look_who_has_the_terminal();
  progress_.update(elapsed, family_.breaks(), family_.copied_bytes());
  if (live_) live_->update(session_->capture.started_ns + elapsed);
  expired_ = options_.duration_ns && elapsed >= *options_.duration_ns;
  if (session_->capture.snapshot != "exact") return;
  throttle_.update(now, follower_.stopped_ns(), follower_.replaced());
  if (const auto& held_up = throttle_.held_up(); held_up && !options_.insists_on_exact)
    family_.outgrow(fmt::format(
        "the command forks so often that they hold it up: it stood still for {:.0f} % of {:.1f} s, "
        "in which {} processes ended and others started",
        held_up->share * 100, static_cast<double>(held_up->span_ns) / 1e9, held_up->replaced));
  if (!family_.outgrown().empty()) give_up_stops();
}

// Children have what their parents have, who are looked at.
void Tracing::look_who_has_the_terminal() {
  for (; progress_.enabled() && looked_at_ < session_->processes.size(); ++looked_at_) {
    const model::Process& process = session_->processes[looked_at_];
    if (!process.forked_from && !process.exit_ns && may_use_our_terminal(process.pid))
      progress_.stop();
  }
}

void Tracing::give_up_stops() {
  session_->capture.snapshot = "passive";
  const std::string note = fmt::format(
      "exact snapshots were given up, from then on nothing is audited: {}", family_.outgrown());
  session_->capture.notes.push_back(note);
  say(note);
  follower_.release_all();
  family_.go_on_without_stops();
}

bool Tracing::over() const {
  return expired_ || (options_.view != nullptr && options_.view->left());
}

void Tracing::say(const std::string& text) {
  progress_.clear();
  if (options_.view != nullptr)
    options_.view->say(text);
  else
    cowtrace::say(text);
}

void Tracing::stop_with_terminal() {
  if (options_.view != nullptr) options_.view->suspend();
  raise(SIGSTOP);
  if (options_.view != nullptr) options_.view->resume();
}

// What still runs goes on untraced.
void Tracing::release_family(const std::function<void(pid_t, int)>& on_status) {
  follower_.release_all();
  const std::uint64_t deadline = monotonic_ns() + kReleaseNs;
  while (follower_.following() && monotonic_ns() < deadline) {
    int status = 0;
    const pid_t tid = waitpid(-1, &status, __WALL | WNOHANG);
    if (tid < 0) return;
    if (tid == 0) {
      usleep(200);
      continue;
    }
    if (!follower_.handle(tid, status)) on_status(tid, status);
  }
}

void Tracing::reap(const std::function<void(pid_t, int)>& on_status) {
  int status = 0;
  for (pid_t tid = 0; (tid = waitpid(-1, &status, __WALL | WNOHANG)) > 0;) {
    const bool is_ours = follower_.traces(tid) || (exact() && WIFSTOPPED(status));
    if (!is_ours || !follower_.handle(tid, status)) on_status(tid, status);
  }
}

bool Tracing::somebody_is_ending(std::set<pid_t>& ending) const {
  for (const model::Process& process : session_->processes) {
    const bool lives = !process.exit_ns && session_->newest_of_pid.at(process.pid) == process.key;
    if (lives && !ending.contains(process.pid) && process::is_ending(process.pid))
      ending.insert(process.pid);
    if (!lives) ending.erase(process.pid);
  }
  // What it did not tell of its end was lost.
  std::erase_if(ending, [](pid_t pid) {
    const auto stat = process::read_stat(pid);
    return !stat || stat->state == 'Z' || stat->state == 'X';
  });
  return !ending.empty() || follower_.sees_exits();
}

void Tracing::await_ends(const std::function<void(pid_t, int)>& on_status) {
  // Between taking its last signal and standing at its exit, a task shows neither.
  constexpr int kQuietLooks = 5;
  const std::uint64_t deadline = monotonic_ns() + kReleaseNs;
  std::set<pid_t> ending;
  for (int quiet = 0; quiet < kQuietLooks && monotonic_ns() < deadline;) {
    reap(on_status);
    family_.drain();
    const auto& processes = session_->processes;
    const bool all_ended =
        std::all_of(processes.begin(), processes.end(),
                    [](const model::Process& process) { return process.exit_ns.has_value(); });
    if (all_ended && !follower_.sees_exits()) return;
    quiet = somebody_is_ending(ending) ? 0 : quiet + 1;
    usleep(kLookUs);
  }
}

void Tracing::finish(const std::string& why, const std::function<void(pid_t, int)>& on_status) {
  progress_.clear();
  // What has come until now was for what is traced; from now on it is for the reports.
  Ending::making_reports(options_.progress);
  signals_.hand_over();
  session_->capture.duration_ns = elapsed_ns();
  capture_->stop();
  release_family(on_status);
  family_.drain();
  family_.finish_stacks();
  if (live_) live_->finish(why);
  family_.finish();
}

Traced Tracing::take() {
  Traced traced;
  traced.resolver = family_.take_resolver();
  session_->capture.endings_known = options_.capture.frames != 0 && !options_.capture.counts_only;
  session_->set_phases(analysis::find_endings(*session_, *traced.resolver));
  traced.session = std::move(session_);
  traced.debuginfod = std::move(debuginfod_);
  traced.debug_budget = debug_budget_;
  return traced;
}

}  // namespace cowtrace::pipeline
