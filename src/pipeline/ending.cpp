// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ending.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "base/interrupt.h"
#include "base/say.h"
#include "pipeline/inheritance.h"

namespace cowtrace::pipeline {
namespace {

constexpr std::array kEnding = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

enum class Phase { EndsAtOnce, MakesReports, AllWritten };

struct OpenFile {
  int fd;
  off_t marker;
};

// Changed with these signals held up, so that the handler finds them whole; never destroyed, for
// there are signals until the very end.
std::vector<OpenFile>& open_files = *new std::vector<OpenFile>;
std::atomic<Phase> phase{Phase::EndsAtOnce};
std::atomic<bool> says{false};
std::atomic<bool> line_shown{false};

void wipe_line() {
  if (line_shown.exchange(false)) static_cast<void>(write_all(STDERR_FILENO, "\r\033[K"));
}

// What is called here may be called in a handler (signal-safety(7)).
[[noreturn]] void end_at_once(int number) {
  for (const OpenFile& file : open_files) static_cast<void>(ftruncate(file.fd, file.marker));
  wipe_line();
  Ending::die_of(number);
}

void on_signal(int number, siginfo_t* info, void* /*context*/) {
  const int error = errno;
  if (Ending::is_meant(number, info->si_code)) {
    const Phase now = phase;
    if (now == Phase::EndsAtOnce) end_at_once(number);
    if (now == Phase::MakesReports) {
      int none = 0;
      if (!detail::interrupted_by.compare_exchange_strong(none, number)) end_at_once(number);
      if (says) {
        wipe_line();
        static_cast<void>(write_all(
            STDERR_FILENO,
            "cowtrace: finishing the reports with what is known (once more: end at once)\n"));
      }
    }
  }
  errno = error;
}

sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : kEnding) sigaddset(&set, number);
  return set;
}

}  // namespace

void Ending::begin() {
  for (const int number : {SIGPIPE, SIGXFSZ}) signal(number, SIG_IGN);
  struct sigaction action {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  action.sa_mask = ending_signals();
  for (const int number : kEnding)
    if (obeys(number)) sigaction(number, &action, nullptr);
}

void Ending::making_reports(bool says_so) {
  says = says_so;
  phase = Phase::MakesReports;
}

void Ending::all_written() {
  phase = Phase::AllWritten;
}

bool Ending::obeys(int signal) {
  return signal == SIGINT || signal == SIGQUIT || !Inheritance::ignores(signal);
}

bool Ending::is_meant(int signal, int code) {
  return code != SI_KERNEL || !Inheritance::ignores(signal);
}

void Ending::add_file(int fd, off_t size) {
  const HoldSignals hold;
  open_files.push_back({fd, size});
}

void Ending::take_back_file(int fd) {
  const HoldSignals hold;
  std::erase_if(open_files, [fd](const OpenFile& file) { return file.fd == fd; });
}

void Ending::set_line_shown(bool shown) {
  line_shown = shown;
}

void Ending::die_of(int number) {
  signal(number, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  raise(number);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  _exit(128 + number);
}

std::string name_of_signal(int signal) {
  switch (signal) {
    case SIGINT:
      return "SIGINT";
    case SIGTERM:
      return "SIGTERM";
    case SIGHUP:
      return "SIGHUP";
    case SIGQUIT:
      return "SIGQUIT";
    default:
      return "signal " + std::to_string(signal);
  }
}

HoldSignals::HoldSignals() {
  const sigset_t set = ending_signals();
  pthread_sigmask(SIG_BLOCK, &set, &before_);
}

HoldSignals::~HoldSignals() {
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace cowtrace::pipeline
