// SPDX-License-Identifier: Apache-2.0
#include "scenario/settings.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

namespace scenario {
namespace {

// 0, or errno.
int write_setting(const std::string& path, const std::string& value) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) return errno;
  const bool whole =
      ::write(file, value.data(), value.size()) == static_cast<ssize_t>(value.size());
  const int error = whole ? 0 : errno;
  ::close(file);
  return error;
}

std::string read_all(int file) {
  std::string text;
  std::array<char, 4096> block;
  for (;;) {
    const ssize_t got = ::read(file, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(block.data(), static_cast<std::size_t>(got));
  }
}

// The guard: gathers lines "PATH VALUE" until the last process that could send one is gone, and
// writes the values back, the last one first.
[[noreturn]] void guard(int from_experiment) {
  ::setsid();  // a signal to the experiment's group is none to its guard
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE}) ::signal(signal, SIG_IGN);
  ::prctl(PR_SET_NAME, "settings-guard");
  std::string lines = read_all(from_experiment);
  while (!lines.empty()) {
    lines.pop_back();                                 // the newline
    const std::size_t start = lines.rfind('\n') + 1;  // npos + 1 is 0
    const std::size_t space = lines.find(' ', start);
    write_setting(lines.substr(start, space - start), lines.substr(space + 1));
    lines.resize(start);
  }
  ::_exit(0);
}

}  // namespace

std::string read_setting(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  std::string text = read_all(file);
  ::close(file);
  if (const std::size_t open = text.find('['); open != std::string::npos)
    return text.substr(open + 1, text.find(']', open) - open - 1);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

Settings::~Settings() {
  if (to_guard_ >= 0) {
    ::close(to_guard_);
    while (::waitpid(guard_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  if (turn_ >= 0) ::close(turn_);
}

// Whoever has the name bound has the turn: the kernel gives it back whatever becomes of him.
Result<void> Settings::take_turn() {
  constexpr std::string_view kName{"\0scenario-settings", 18};
  constexpr int kWaits = 6000;  // of 10 ms
  if (turn_ >= 0) return {};
  turn_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  kName.copy(address.sun_path, kName.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + kName.size());
  for (int i = 0; turn_ >= 0 && i < kWaits; ++i) {
    if (::bind(turn_, reinterpret_cast<const sockaddr*>(&address), size) == 0) return {};
    if (errno != EADDRINUSE) break;
    ::usleep(10'000);
  }
  const int error = errno;
  if (turn_ >= 0) ::close(std::exchange(turn_, -1));
  return unavailable("cannot take a turn at the machine's settings", std::strerror(error),
                     "let the other experiments end");
}

Result<void> Settings::start_guard() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return unavailable("cannot make a pipe", std::strerror(errno), "raise the limit of open files");
  guard_ = ::fork();
  if (guard_ == 0) {
    ::close(ends[1]);
    guard(ends[0]);
  }
  ::close(ends[0]);
  to_guard_ = ends[1];
  if (guard_ > 0) return {};
  const int error = errno;
  ::close(std::exchange(to_guard_, -1));
  return unavailable("cannot fork", std::strerror(error), "raise the limits");
}

Result<void> Settings::set(const std::string& path, const std::string& value) {
  if (auto turn = take_turn(); !turn) return turn;
  const std::string old = read_setting(path);
  if (old.empty())
    return unavailable(fmt::format("cannot read {}", path), "this kernel or user has none");
  if (old == value) return {};
  if (to_guard_ < 0) {
    if (auto started = start_guard(); !started) return started;
  }
  // Only how it was at first: to pass through what it was in between can do something (ksmd
  // merges).
  const std::string line = fmt::format("{} {}\n", path, old);
  const bool first = changed_.insert(path).second;
  if (first && ::write(to_guard_, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    return failed("cannot tell the guard what to restore", std::strerror(errno));
  if (const int error = write_setting(path, value); error != 0)
    return unavailable(fmt::format("cannot write {} to {}", value, path), std::strerror(error),
                       "run it as root");
  return {};
}

}  // namespace scenario
