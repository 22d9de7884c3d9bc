// SPDX-License-Identifier: Apache-2.0
#include "process/ending.h"

#include <fmt/format.h>
#include <signal.h>

#include <charconv>
#include <cstdint>

#include "process/file_read.h"
#include "process/proc_files.h"

namespace cowtrace::process {
namespace {

constexpr std::size_t kStatusBytes = 16384;

constexpr std::uint64_t bit(int signal) {
  return std::uint64_t{1} << (signal - 1);
}

// signal(7): those whose default is to be ignored, to stop, or to continue.
constexpr std::uint64_t kHarmless = bit(SIGCHLD) | bit(SIGURG) | bit(SIGWINCH) | bit(SIGCONT) |
                                    bit(SIGSTOP) | bit(SIGTSTP) | bit(SIGTTIN) | bit(SIGTTOU);

std::string_view field(std::string_view status, std::string_view name) {
  const std::size_t at = status.find(name);
  if (at == std::string_view::npos) return {};
  std::string_view value = status.substr(at + name.size());
  value = value.substr(0, value.find('\n'));
  const std::size_t begin = value.find_first_not_of(" \t");
  return begin == std::string_view::npos ? std::string_view() : value.substr(begin);
}

std::uint64_t signals(std::string_view status, std::string_view name) {
  const std::string_view digits = field(status, name);
  std::uint64_t set = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), set, 16);
  return set;
}

}  // namespace

bool is_ending(std::string_view status) {
  const std::string_view state = field(status, "\nState:");
  if (state.empty() || state.front() == 'Z' || state.front() == 'X') return false;
  const std::uint64_t pending = signals(status, "\nSigPnd:") | signals(status, "\nShdPnd:");
  if ((pending & bit(SIGKILL)) != 0) return true;
  const std::uint64_t kept =
      signals(status, "\nSigBlk:") | signals(status, "\nSigIgn:") | signals(status, "\nSigCgt:");
  return (pending & ~kept & ~kHarmless) != 0;
}

bool is_ending(pid_t pid) {
  const auto status = read_whole_file(fmt::format("/proc/{}/status", pid), kStatusBytes);
  if (status && is_ending(*status)) return true;
  // Of its main thread, include/linux/sched.h (the same numbers from 5.10 to 7.3): set where a
  // signal was taken that ends it (get_signal()), and in do_exit().
  constexpr std::uint32_t kExiting = 0x4, kSignaled = 0x400;
  const auto stat = read_stat(pid);
  return stat && stat->state != 'Z' && stat->state != 'X' &&
         (stat->flags & (kExiting | kSignaled)) != 0;
}

}  // namespace cowtrace::process
