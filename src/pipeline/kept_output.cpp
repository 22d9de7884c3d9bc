// SPDX-License-Identifier: Apache-2.0
#include "pipeline/kept_output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/say.h"
#include "base/units.h"
#include "pipeline/privileges.h"

namespace cowtrace::pipeline {
namespace {

constexpr std::size_t kRead = 64 * 1024;

// Of descriptors from 3 on; -1 is none.
void close_all_but(std::array<int, 3> kept) {
  std::sort(kept.begin(), kept.end());
  unsigned next = 3;
  for (const int fd : kept) {
    if (fd < 3) continue;
    const auto number = static_cast<unsigned>(fd);
    if (number > next) close_range(next, number - 1, 0);
    next = number + 1;
  }
  close_range(next, ~0U, 0);
}

// The whole life of the process that outlives us. `alive` is at its end when we are.
[[noreturn]] void hand_on(int alive, const std::array<int, 2>& from) {
  for (const int number : {SIGINT, SIGQUIT, SIGTSTP, SIGTTOU, SIGHUP, SIGPIPE})
    signal(number, SIG_IGN);
  signal(SIGTERM, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  prctl(PR_SET_NAME, "cowtrace-output");
  char byte;
  while (read(alive, &byte, 1) < 0 && errno == EINTR) {
  }
  std::array<pollfd, 2> open = {{{from[0], POLLIN, 0}, {from[1], POLLIN, 0}}};
  std::array<char, kRead> buffer{};
  while (open[0].fd >= 0 || open[1].fd >= 0) {
    if (poll(open.data(), open.size(), -1) < 0 && errno != EINTR) break;
    for (std::size_t i = 0; i < open.size(); ++i) {
      if (open[i].fd < 0 || open[i].revents == 0) continue;
      const ssize_t got = read(open[i].fd, buffer.data(), buffer.size());
      if (got > 0)
        static_cast<void>(
            write_all(static_cast<int>(i) + 1, {buffer.data(), static_cast<std::size_t>(got)}));
      // Our reading end does not wait, and neither does this one, which is the same.
      if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) open[i].fd = -1;
    }
  }
  _exit(0);
}

}  // namespace

Result<KeptOutput> KeptOutput::begin() {
  KeptOutput kept;
  for (std::size_t i = 0; i < kept.pipes_.size(); ++i) {
    if (isatty(static_cast<int>(i) + 1) != 1) continue;
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno("cannot make a pipe", errno);
    kept.pipes_[i] = {Fd(ends[0]), Fd(ends[1])};
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    // For who opens /dev/stdout as another user.
    fchmod(ends[1], 0666);
  }
  if (isatty(STDIN_FILENO) == 1) kept.input_ = Fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (auto status = kept.hand_on_later(); !status) return tl::unexpected(status.error());
  if (isatty(STDERR_FILENO) == 1) {
    std::fflush(stderr);
    kept.our_error_ = Fd(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
    kept.own_error_ = Fd(memfd_create("cowtrace-stderr", MFD_CLOEXEC));
    if (kept.own_error_ && kept.our_error_) dup2(kept.own_error_.get(), STDERR_FILENO);
  }
  return kept;
}

// Nobody's child, so that nobody waits for it.
Status KeptOutput::hand_on_later() {
  std::array<int, 2> alive{};
  if (pipe2(alive.data(), O_CLOEXEC) != 0) return fail_errno("cannot make a pipe", errno);
  Fd read_end(alive[0]);
  alive_ = Fd(alive[1]);
  const pid_t child = fork();
  if (child < 0) return fail_errno("cannot fork", errno);
  if (child == 0) {
    if (fork() != 0) _exit(0);
    alive_.reset();
    for (Pipe& pipe : pipes_) pipe.write.reset();
    const std::array<int, 2> from = {pipes_[0].read.get(), pipes_[1].read.get()};
    // Whatever else is open here is not for a process that may live long.
    close_all_but({read_end.get(), from[0], from[1]});
    give_up_privileges();
    hand_on(read_end.get(), from);
  }
  waitpid(child, nullptr, 0);
  return {};
}

void KeptOutput::started() {
  for (Pipe& pipe : pipes_) pipe.write.reset();
  input_.reset();
}

void KeptOutput::keep(int stream, std::string bytes) {
  kept_bytes_ += bytes.size();
  if (!pieces_.empty() && pieces_.back().stream == stream && pieces_.back().bytes.size() < kRead)
    pieces_.back().bytes += bytes;
  else
    pieces_.push_back({stream, std::move(bytes)});
  while (kept_bytes_ > kMostBytes) {
    std::string& oldest = pieces_.front().bytes;
    const std::uint64_t less = std::min<std::uint64_t>(oldest.size(), kept_bytes_ - kMostBytes);
    oldest.erase(0, less);
    kept_bytes_ -= less;
    dropped_bytes_ += less;
    if (oldest.empty()) pieces_.pop_front();
  }
}

void KeptOutput::drain() {
  for (std::size_t i = 0; i < pipes_.size(); ++i) {
    for (std::size_t most = 16; most != 0 && pipes_[i].read; --most) {
      std::string bytes(kRead, '\0');
      const ssize_t got = read(pipes_[i].read.get(), bytes.data(), bytes.size());
      if (got == 0) pipes_[i].read.reset();  // nobody has the other end any more
      if (got <= 0) break;
      bytes.resize(static_cast<std::size_t>(got));
      keep(static_cast<int>(i) + 1, std::move(bytes));
    }
  }
}

void KeptOutput::finish() {
  if (!alive_) return;
  drain();
  if (our_error_) {
    std::fflush(stderr);
    dup2(our_error_.get(), STDERR_FILENO);
    std::array<char, kRead> buffer{};
    for (off_t at = 0; own_error_;) {
      const ssize_t got = pread(own_error_.get(), buffer.data(), buffer.size(), at);
      if (got <= 0) break;
      static_cast<void>(write_all(STDERR_FILENO, {buffer.data(), static_cast<std::size_t>(got)}));
      at += got;
    }
  }
  if (dropped_bytes_ != 0)
    say(fmt::format("the command wrote {} more before this, which were not kept",
                    human_bytes(dropped_bytes_)));
  for (const Piece& piece : pieces_) static_cast<void>(write_all(piece.stream, piece.bytes));
  pieces_.clear();
  for (Pipe& pipe : pipes_) pipe = {};
  alive_.reset();
}

}  // namespace cowtrace::pipeline
