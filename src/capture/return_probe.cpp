// SPDX-License-Identifier: Apache-2.0
#include "capture/return_probe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <sstream>
#include <utility>

#include "base/fd.h"

namespace cowtrace::capture {
namespace {

constexpr const char* kGroup = "cowtrace";
constexpr const char* kPrefix = "return_";
constexpr int kAtATime =
    4096;  // KRETPROBE_MAXACTIVE_MAX (kernel/trace/trace_kprobe.c): the most that may be asked for

Fd open_commands(const std::string& directory) {
  return Fd(open((directory + "/kprobe_events").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
}

// One command; what kprobe_events refuses it refuses in this write.
Status command(const Fd& file, const std::string& text) {
  if (file && write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()))
    return {};
  return fail_errno("cannot define a kprobe in tracefs", errno, "");
}

std::uint64_t own_pid_namespace() {
  struct stat status {};
  return stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
}

std::string prefix_of(std::uint64_t pid_namespace) {
  return fmt::format("{}{}_", kPrefix, pid_namespace);
}

void remove_stale(const std::string& directory, const Fd& commands) {
  std::ifstream events(directory + "/kprobe_events");
  for (const auto& [pid, event] : return_probes(events, own_pid_namespace()))
    if (kill(pid, 0) != 0 && errno == ESRCH)
      static_cast<void>(command(commands, fmt::format("-:{}/{}", kGroup, event)));
}

}  // namespace

std::vector<std::pair<int, std::string>> return_probes(std::istream& events,
                                                       std::uint64_t pid_namespace) {
  std::vector<std::pair<int, std::string>> found;
  const std::string ours = fmt::format(":{}/{}", kGroup, prefix_of(pid_namespace));
  for (std::string line; std::getline(events, line);) {
    // "r4096:cowtrace/return_4026531836_4711_handle_mm_fault handle_mm_fault"
    const std::string probe = line.substr(0, line.find(' '));
    const auto at = probe.find(ours);
    if (at == std::string::npos) continue;
    int pid = 0;
    const char* digits = probe.data() + at + ours.size();
    if (std::from_chars(digits, probe.data() + probe.size(), pid).ec == std::errc{} && pid > 0)
      found.emplace_back(pid, probe.substr(probe.find('/') + 1));
  }
  return found;
}

std::uint64_t missed_of(std::istream& profile, const std::string& event) {
  for (std::string line; std::getline(profile, line);) {
    std::istringstream words(line);
    std::string name;
    std::uint64_t hits = 0, missed = 0;
    if (words >> name >> hits >> missed && name == event) return missed;
  }
  return 0;
}

Result<ReturnProbe> ReturnProbe::create(const std::string& symbol) {
  // Dots are no part of an event's name.
  std::string name = fmt::format("{}{}_{}", prefix_of(own_pid_namespace()), getpid(),
                                 symbol.substr(0, symbol.find('.')));
  for (const char* directory : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
    if (access(fmt::format("{}/kprobe_events", directory).c_str(), W_OK) != 0) continue;
    Fd commands = open_commands(directory);
    remove_stale(directory, commands);
    if (auto defined =
            command(commands, fmt::format("r{}:{}/{} {}", kAtATime, kGroup, name, symbol));
        !defined)
      return tl::unexpected(defined.error());
    return ReturnProbe(directory, std::move(name), std::move(commands));
  }
  return fail("cannot define a kprobe in tracefs", "it is not mounted",
              "mount it at /sys/kernel/tracing");
}

ReturnProbe::ReturnProbe(ReturnProbe&& other) noexcept
    : directory_(std::move(other.directory_)),
      name_(std::exchange(other.name_, {})),
      commands_(std::move(other.commands_)) {}

ReturnProbe::~ReturnProbe() {
  if (!name_.empty()) static_cast<void>(command(commands_, fmt::format("-:{}/{}", kGroup, name_)));
}

Result<int> ReturnProbe::open() const {
  std::ifstream file(fmt::format("{}/events/{}/{}/id", directory_, kGroup, name_));
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.size = sizeof(attributes);
  if (!(file >> attributes.config))
    return fail("cannot open a kprobe of tracefs", "it has no number");
  // The CPU does not matter: a BPF program on a kprobe is run on all of them.
  const int fd =
      static_cast<int>(syscall(SYS_perf_event_open, &attributes, -1, 0, -1, PERF_FLAG_FD_CLOEXEC));
  if (fd < 0) return fail_errno("cannot open a kprobe of tracefs", errno, "");
  return fd;
}

std::uint64_t ReturnProbe::missed() const {
  std::ifstream profile(directory_ + "/kprobe_profile");
  return missed_of(profile, name_);
}

}  // namespace cowtrace::capture
