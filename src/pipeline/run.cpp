// SPDX-License-Identifier: Apache-2.0
#include "pipeline/run.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "base/clock.h"
#include "base/units.h"
#include "pipeline/command.h"
#include "pipeline/kept_output.h"

namespace cowtrace::pipeline {
namespace {

class Runner {
 public:
  Runner(const RunOptions& options, Tracing& tracing) : options_(options), tracing_(tracing) {}

  Status start();
  // Prints what has been kept from the terminal.
  void free_terminal();
  void loop();
  void finish();
  [[nodiscard]] RunOutcome outcome() const;

 private:
  Result<CommandOptions> command_options();
  Status trace_from_exec();
  void take_signals();
  // A process of the family sent it, to its process group: the family has got the signal already.
  [[nodiscard]] bool is_from_family(const signalfd_siginfo& info);
  // False: there is more.
  bool reap();
  void on_command_status(int status);

  const RunOptions& options_;
  Tracing& tracing_;
  std::optional<KeptOutput> kept_;
  std::optional<Command> command_;
  std::optional<int> status_;  // of the command, once it has ended
  int interrupts_ = 0;
  int last_signal_ = 0;
  bool stop_now_ = false;
};

Status Runner::start() {
  auto command = command_options();
  if (!command) return tl::unexpected(command.error());
  auto started = Command::start(*command);
  if (!started) return tl::unexpected(started.error());
  command_ = std::move(*started);
  if (kept_) kept_->started();
  if (auto ready = trace_from_exec(); !ready) {
    command_->abandon();
    return ready;
  }
  command_->release();
  return {};
}

Status Runner::trace_from_exec() {
  if (auto tracked = tracing_.capture().track_next_exec(command_->pid()); !tracked) return tracked;
  if (tracing_.exact())
    if (auto seized = tracing_.follower().seize(command_->pid()); !seized) return seized;
  tracing_.take_memory_limit_of(command_->pid());
  return tracing_.begin();
}

Result<CommandOptions> Runner::command_options() {
  CommandOptions command;
  command.arguments = options_.command;
  command.user = options_.user;
  if (options_.view != nullptr && options_.view->owns_terminal()) {
    auto kept = KeptOutput::begin();
    if (!kept) return tl::unexpected(kept.error());
    kept_ = std::move(*kept);
    command.streams = kept_->streams();
    for (const int fd : kept_->fds()) tracing_.add_to_poll(fd);
  }
  return command;
}

void Runner::free_terminal() {
  if (options_.view != nullptr) options_.view->close();
  if (kept_) kept_->finish();
}

bool Runner::is_from_family(const signalfd_siginfo& info) {
  if (info.ssi_code == SI_KERNEL || info.ssi_pid == 0) return false;
  tracing_.tick();  // the sender may just have been forked
  // The pid of a process that ended longer ago may be a stranger's by now.
  constexpr std::uint64_t kReusedNs = 1'000'000'000;
  const model::Process* sender =
      tracing_.session().find_pid(static_cast<std::int32_t>(info.ssi_pid));
  return sender != nullptr && (!sender->exit_ns || monotonic_ns() - *sender->exit_ns < kReusedNs);
}

void Runner::take_signals() {
  signalfd_siginfo info{};
  while (tracing_.signals().next(info)) {
    const auto number = static_cast<int>(info.ssi_signo);
    if (number == SIGCHLD) continue;
    if (number == SIGWINCH) {
      options_.view->resized();
      continue;
    }
    if (is_from_family(info)) continue;
    ++interrupts_;
    last_signal_ = number;
    if (interrupts_ > 1) {
      stop_now_ = true;
      return;
    }
    // A terminal has sent its signal to the command too; another process has sent it to us alone.
    if (info.ssi_code != SI_KERNEL) kill(command_->pid(), number);
    if (options_.progress)
      tracing_.say(fmt::format("waiting for {} to end (once more: stop now)",
                               printable(options_.command[0])));
  }
}

void Runner::on_command_status(int status) {
  if (WIFSTOPPED(status)) {
    const int number = WSTOPSIG(status);
    if (number == SIGTSTP || number == SIGTTIN || number == SIGTTOU) tracing_.stop_with_terminal();
    return;
  }
  if (!WIFCONTINUED(status)) status_ = status;
}

bool Runner::reap() {
  Follower& follower = tracing_.follower();
  int status = 0;
  for (int i = 0; !status_; ++i) {
    if (i == kMostStops) return false;
    const pid_t tid = waitpid(-1, &status, __WALL | WNOHANG | WUNTRACED);
    // Nothing left to wait for, and the command's end was not seen: somebody else has reaped it.
    if (tid < 0 && errno == ECHILD) stop_now_ = true;
    if (tid <= 0) return true;
    const bool handled = follower.traces(tid) || (tracing_.exact() && WIFSTOPPED(status))
                             ? follower.handle(tid, status)
                             : false;
    if (tid == command_->pid() && !handled) on_command_status(status);
    if (follower.take_terminal_stop(command_->pid())) tracing_.stop_with_terminal();
  }
  return true;
}

void Runner::loop() {
  for (bool all = true; !status_ && !stop_now_ && !tracing_.over();) {
    if (all) tracing_.wait_for_something();
    take_signals();
    all = reap();
    tracing_.tick();
    if (kept_) kept_->drain();
  }
}

void Runner::finish() {
  const auto on_status = [this](pid_t tid, int status) {
    if (tid == command_->pid()) on_command_status(status);
  };
  if (status_) tracing_.await_ends(on_status);
  tracing_.finish(status_ ? "the command has ended" : "left", on_status);
  free_terminal();
}

RunOutcome Runner::outcome() const {
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

}  // namespace

Result<RunOutcome> run(const RunOptions& options, Recorder& recorder) {
  auto tracing = Tracing::open(options, options.command, recorder);
  if (!tracing) return tl::unexpected(tracing.error());
  Runner runner(options, **tracing);
  if (auto started = runner.start(); !started) {
    runner.free_terminal();
    return tl::unexpected(started.error());
  }
  runner.loop();
  runner.finish();
  RunOutcome outcome = runner.outcome();
  outcome.traced = (*tracing)->take();
  return outcome;
}

}  // namespace cowtrace::pipeline
