// SPDX-License-Identifier: Apache-2.0
#include "pipeline/stage_line.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "base/say.h"
#include "base/units.h"
#include "base/worker_thread.h"
#include "pipeline/ending.h"

namespace cowtrace::pipeline {
namespace {

constexpr std::chrono::milliseconds kAWhile{700};

// To the beginning of a line, which stays the one where the cursor is if that is at its beginning
// already: what a program has left there is not touched. A terminal puts the cursor behind its last
// column only when more comes.
std::string fresh_line() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return "\n";
  return std::string(size.ws_col, ' ') + "\r";
}

}  // namespace

StageLine::StageLine(bool wanted) {
  if (!wanted || !may_draw()) return;
  try {
    thread_ = start_worker([this] { work(); });
  } catch (const std::system_error&) {
    // No thread, no line.
  }
}

StageLine::~StageLine() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    text_.clear();
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  wipe();
}

void StageLine::show(const std::string& text) {
  const std::scoped_lock lock(mutex_);
  text_ = text;
  if (shown_) draw();
  changed_.notify_all();
}

void StageLine::clear() {
  const std::scoped_lock lock(mutex_);
  text_.clear();
  wipe();
}

void StageLine::draw() {
  static_cast<void>(write_all(
      STDERR_FILENO, fmt::format("{}\r\033[Kcowtrace: {}", shown_ ? "" : fresh_line(), text_)));
  shown_ = true;
  Ending::set_line_shown(true);
}

void StageLine::wipe() {
  if (!std::exchange(shown_, false)) return;
  Ending::set_line_shown(false);
  static_cast<void>(write_all(STDERR_FILENO, "\r\033[K"));
}

void StageLine::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    changed_.wait(lock, [this] { return stopping_ || (!text_.empty() && !shown_); });
    // A stage that is over sooner needs no line; the next one waits no longer for it.
    if (changed_.wait_for(lock, kAWhile, [this] { return stopping_; })) return;
    if (!text_.empty() && !shown_) draw();
  }
}

bool may_draw() {
  struct stat out {};
  return isatty(STDERR_FILENO) == 1 &&
         (fstat(STDOUT_FILENO, &out) != 0 || (!S_ISFIFO(out.st_mode) && !S_ISSOCK(out.st_mode)));
}

bool may_use_our_terminal(pid_t pid) {
  struct stat ours {};
  if (fstat(STDERR_FILENO, &ours) != 0 || !S_ISCHR(ours.st_mode)) return false;
  std::ifstream about(fmt::format("/proc/{}/stat", pid));
  std::string text;
  if (!std::getline(about, text)) return kill(pid, 0) == 0 || errno != ESRCH;
  // Behind the name, which may hold anything: state, ppid, pgrp, session, tty_nr (proc(5)).
  std::istringstream fields(text.substr(std::min(text.rfind(')') + 1, text.size())));
  std::string state;
  long parent = 0, group = 0, session = 0, terminal = 0;
  fields >> state >> parent >> group >> session >> terminal;
  if (!fields || state == "Z" || state == "X") return !fields;
  // new_encode_dev() in include/linux/kdev_t.h
  const auto device = static_cast<unsigned long>(terminal);
  if (terminal != 0 && makedev((device & 0xfff00) >> 8,
                               (device & 0xff) | ((device >> 12) & 0xfff00)) == ours.st_rdev)
    return true;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", pid), error)) {
    struct stat there {};
    if (stat(entry.path().c_str(), &there) == 0 && S_ISCHR(there.st_mode) &&
        there.st_rdev == ours.st_rdev)
      return true;
  }
  return error && error != std::errc::no_such_file_or_directory;
}

}  // namespace cowtrace::pipeline
