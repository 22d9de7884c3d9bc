// SPDX-License-Identifier: Apache-2.0
#include "pipeline/run.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/fd.h"
#include "base/units.h"
#include "pipeline/command.h"
#include "pipeline/family.h"
#include "pipeline/follower.h"
#include "pipeline/kept_output.h"
#include "pipeline/live.h"
#include "pipeline/progress.h"
#include "process/cgroup_memory.h"
#include "process/zero_frames.h"
#include "python/expression.h"

namespace cowtrace::pipeline {
namespace {

constexpr int kTickMs = 50;                             // how long events may lie in a ring buffer that is not half full
constexpr std::uint64_t kReleaseNs = 2'000'000'000;     // longest wait for tasks to be let go

std::string_view name(SnapshotMode mode) {
  switch (mode) {
    case SnapshotMode::Exact: return "exact";
    case SnapshotMode::Passive: return "passive";
    case SnapshotMode::Off: return "off";
  }
  return "off";
}

// Signals as readable events; the terminal's stop signals do not stop us before they have stopped the command.
class Signals {
 public:
  // `resizes`: also those that tell of another size of the terminal.
  explicit Signals(bool resizes) {
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    // What the caller ignores (nohup, a background job) is ignored still: blocked, it would be queued for us.
    for (const int number : {SIGINT, SIGQUIT, SIGTERM, SIGHUP})
      if (!ignored(number)) sigaddset(&mask, number);
    if (resizes) sigaddset(&mask, SIGWINCH);
    sigprocmask(SIG_BLOCK, &mask, &before_);
    // Ignored, the kernel would reap our children before we see how they ended.
    if (signal(SIGCHLD, SIG_DFL) == SIG_IGN) ignored_.push_back(SIGCHLD);
    for (const int number : {SIGTSTP, SIGTTIN, SIGTTOU})
      if (signal(number, SIG_IGN) != SIG_IGN) changed_.push_back(number);
    fd_ = Fd(signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals() {
    for (const int number : changed_) signal(number, SIG_DFL);
    for (const int number : ignored_) signal(number, SIG_IGN);
    sigprocmask(SIG_SETMASK, &before_, nullptr);
  }

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] const sigset_t& before() const { return before_; }
  // Signals whose handling is to be given back to the command: as the default, and as ignored.
  [[nodiscard]] const std::vector<int>& changed() const { return changed_; }
  [[nodiscard]] const std::vector<int>& ignored() const { return ignored_; }
  // The next signal that is waiting; false if none is.
  bool next(signalfd_siginfo& info) const { return read(fd_.get(), &info, sizeof(info)) == sizeof(info); }

 private:
  static bool ignored(int number) {
    struct sigaction action {};
    return sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
  }

  sigset_t before_{};
  std::vector<int> changed_;
  std::vector<int> ignored_;
  Fd fd_;
};

class Runner {
 public:
  Runner(const RunOptions& options, std::vector<python::Expression> watches, capture::Capture& capture, model::Session& session,
         const AuditLimits& limits, Recorder& recorder)
      : options_(options),
        capture_(capture),
        session_(session),
        signals_(options.view != nullptr),
        family_(capture, session, options.snapshot == SnapshotMode::Exact, limits, std::move(watches), recorder),
        recorder_(recorder),
        follower_(family_),
        progress_(options.progress && options.view == nullptr) {}

  Status start();
  // Prints what has been kept from the terminal.
  void free_terminal();
  void loop();
  void finish();
  RunOutcome outcome();
  std::unique_ptr<model::Resolver> take_resolver() { return family_.take_resolver(); }

 private:
  Status open_view();
  Result<CommandOptions> command_options();
  void add_to_poll(int fd) const;
  void say(const std::string& text);
  void wait_for_something() const;
  void take_signals();
  void reap();
  void on_command_status(int status);
  void stop_with_command();
  void release_family();
  void tick();

  const RunOptions& options_;
  capture::Capture& capture_;
  model::Session& session_;
  Signals signals_;
  std::optional<Live> live_;
  Family family_;
  Recorder& recorder_;
  Follower follower_;
  Progress progress_;
  std::optional<KeptOutput> kept_;
  std::optional<Command> command_;
  Fd poll_;
  std::optional<int> status_;  // of the command, once it has ended
  int interrupts_ = 0;
  int last_signal_ = 0;
  bool stop_now_ = false;
  bool expired_ = false;  // --duration
};

Status Runner::start() {
  poll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
  for (const int fd : {signals_.fd(), capture_.poll_fd()}) add_to_poll(fd);
  auto command = command_options();
  if (!command) return tl::unexpected(command.error());
  auto started = Command::start(*command);
  if (!started) return tl::unexpected(started.error());
  command_ = std::move(*started);
  if (kept_) kept_->started();
  Status ready = capture_.track_next_exec(command_->pid());
  if (ready && options_.snapshot == SnapshotMode::Exact) ready = follower_.seize(command_->pid());
  if (!ready) {
    command_->abandon();
    return ready;
  }
  if (const auto limit = process::memory_limit(command_->pid())) {
    session_.capture.memory_limit = limit->bytes;
    session_.capture.memory_limit_of = limit->of;
  }
  session_.capture.started_at_unix_ns = static_cast<std::int64_t>(clock_ns(CLOCK_REALTIME));
  session_.capture.started_ns = monotonic_ns();
  recorder_.begin(session_.capture);
  if (options_.view != nullptr)
    if (auto opened = open_view(); !opened) {
      command_->abandon();
      return opened;
    }
  command_->release();
  return {};
}

Result<CommandOptions> Runner::command_options() {
  CommandOptions command;
  command.arguments = options_.command;
  command.user = options_.user;
  command.signal_mask = signals_.before();
  command.default_signals = signals_.changed();
  command.ignored_signals = signals_.ignored();
  if (options_.view != nullptr && options_.view->owns_terminal()) {
    auto kept = KeptOutput::begin();
    if (!kept) return tl::unexpected(kept.error());
    kept_ = std::move(*kept);
    command.streams = kept_->streams();
    for (const int fd : kept_->fds()) add_to_poll(fd);
  }
  return command;
}

Status Runner::open_view() {
  if (auto opened = options_.view->open(); !opened) return opened;
  add_to_poll(options_.view->changed_fd());
  live_.emplace(*options_.view, capture_, session_);
  family_.set_live(*live_);
  return {};
}

void Runner::add_to_poll(int fd) const {
  if (fd < 0) return;
  epoll_event event{};
  event.events = EPOLLIN;
  epoll_ctl(poll_.get(), EPOLL_CTL_ADD, fd, &event);
}

void Runner::say(const std::string& text) {
  progress_.clear();
  if (options_.view != nullptr)
    options_.view->say(text);
  else
    fmt::print(stderr, "cowtrace: {}\n", text);
}

void Runner::free_terminal() {
  if (options_.view != nullptr) options_.view->close();
  if (kept_) kept_->finish();
}

void Runner::wait_for_something() const {
  epoll_event events[4];
  epoll_wait(poll_.get(), events, 4, kTickMs);
}

void Runner::take_signals() {
  signalfd_siginfo info{};
  while (signals_.next(info)) {
    const auto number = static_cast<int>(info.ssi_signo);
    if (number == SIGCHLD) continue;
    if (number == SIGWINCH) {
      options_.view->resized();
      continue;
    }
    ++interrupts_;
    last_signal_ = number;
    if (interrupts_ > 1) {
      stop_now_ = true;
      return;
    }
    // A terminal has sent its signal to the command too; another process has sent it to us alone.
    if (info.ssi_code != SI_KERNEL) kill(command_->pid(), number);
    if (options_.progress) say(fmt::format("waiting for {} to end (once more: stop now)", printable(options_.command[0])));
  }
}

// What stops the command by the terminal's will stops us too, so that the shell gets its prompt back.
void Runner::stop_with_command() {
  if (options_.view != nullptr) options_.view->suspend();
  raise(SIGSTOP);
  if (options_.view != nullptr) options_.view->resume();
}

void Runner::on_command_status(int status) {
  if (WIFSTOPPED(status)) {
    const int number = WSTOPSIG(status);
    if (number == SIGTSTP || number == SIGTTIN || number == SIGTTOU) stop_with_command();
    return;
  }
  if (!WIFCONTINUED(status)) status_ = status;
}

void Runner::reap() {
  int status = 0;
  while (!status_) {
    const pid_t tid = waitpid(-1, &status, __WALL | WNOHANG | WUNTRACED);
    // Nothing left to wait for, and the command's end was not seen: somebody else has reaped it.
    if (tid < 0 && errno == ECHILD) stop_now_ = true;
    if (tid <= 0) return;
    const bool handled = follower_.traces(tid) || (options_.snapshot == SnapshotMode::Exact && WIFSTOPPED(status))
                             ? follower_.handle(tid, status)
                             : false;
    if (tid == command_->pid() && !handled) on_command_status(status);
    if (follower_.take_terminal_stop(command_->pid())) stop_with_command();
  }
}

void Runner::tick() {
  family_.drain();
  const std::uint64_t now = monotonic_ns();
  recorder_.flush_if_due(now);
  const std::uint64_t elapsed = now - session_.capture.started_ns;
  progress_.update(elapsed, family_.breaks(), family_.copied_bytes());
  if (kept_) kept_->drain();
  if (live_) live_->update(session_.capture.started_ns + elapsed);
  expired_ = options_.duration_ns && elapsed >= *options_.duration_ns;
  if (!family_.outgrown().empty() && session_.capture.snapshot == "exact") {
    session_.capture.snapshot = "passive";
    const std::string note = fmt::format("exact snapshots were given up, there is no audit: {}", family_.outgrown());
    session_.capture.notes.push_back(note);
    say(note);
    follower_.release_all();
    family_.go_on_without_stops();
  }
}

void Runner::loop() {
  while (!status_ && !stop_now_ && !expired_ && !(options_.view != nullptr && options_.view->left())) {
    wait_for_something();
    take_signals();
    reap();
    tick();
  }
}

// What still runs goes on untraced.
void Runner::release_family() {
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
    const bool handled = follower_.handle(tid, status);
    if (tid == command_->pid() && !handled) on_command_status(status);
  }
}

void Runner::finish() {
  progress_.clear();
  session_.capture.duration_ns = monotonic_ns() - session_.capture.started_ns;
  capture_.stop();
  release_family();
  family_.drain();
  if (live_) live_->finish(status_ ? "the command has ended" : "left");
  family_.finish();
  free_terminal();
}

RunOutcome Runner::outcome() {
  RunOutcome outcome;
  if (const auto failure = command_->failure()) {
    outcome.error = failure->error;
    outcome.exit_code = failure->exit_code;
    return outcome;
  }
  if (status_ && WIFEXITED(*status_))
    outcome.exit_code = WEXITSTATUS(*status_);
  else if (status_)
    outcome.exit_code = 128 + WTERMSIG(*status_);
  else if (stop_now_)
    outcome.exit_code = 128 + last_signal_;
  return outcome;
}

void describe(const RunOptions& options, const capture::Capture& capture, model::CaptureInfo& info) {
  utsname system{};
  uname(&system);
  info.command = options.command;
  info.backend = capture.backend();
  info.kernel = system.release;
  info.arch = system.machine;
  info.detail = options.capture.counts_only ? "counts" : "events";
  info.snapshot = name(options.snapshot);
}

}  // namespace

Result<RunOutcome> run(const RunOptions& options, Recorder& recorder) {
  std::vector<python::Expression> watches;
  for (const std::string& text : options.watches) {
    auto expression = python::parse_expression(text);
    if (!expression)
      return fail("--watch " + printable(text), expression.error().message(), "write it as sys.modules['json'] or myapp.config.RULES[12]");
    watches.push_back(std::move(*expression));
  }
  const process::ZeroFrames zero = process::find_zero_frames();
  auto capture_options = options.capture;
  capture_options.zero_frame = zero.page;
  capture_options.audit = options.snapshot == SnapshotMode::Exact && !capture_options.counts_only;
  capture_options.wake_early = options.snapshot != SnapshotMode::Exact;
  auto capture = capture::open_capture(options.backend, capture_options);
  if (!capture) return tl::unexpected(capture.error());

  auto session = std::make_unique<model::Session>();
  describe(options, **capture, session->capture);
  AuditLimits limits;
  limits.zero_frame = zero.page;
  limits.huge_zero_frame = zero.huge_page;
  Runner runner(options, std::move(watches), **capture, *session, limits, recorder);
  if (auto started = runner.start(); !started) {
    runner.free_terminal();
    return tl::unexpected(started.error());
  }
  runner.loop();
  runner.finish();
  RunOutcome outcome = runner.outcome();
  outcome.session = std::move(session);
  outcome.resolver = runner.take_resolver();
  return outcome;
}

}  // namespace cowtrace::pipeline
