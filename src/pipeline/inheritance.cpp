// SPDX-License-Identifier: Apache-2.0
#include "pipeline/inheritance.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/units.h"

namespace cowtrace::pipeline {
namespace {

constexpr rlim_t kDescriptors = 65536;   // one for each file that traced processes have mapped
constexpr rlim_t kFewDescriptors = 256;  // BPF's programs, maps and links, and the CPUs' events
constexpr rlim_t kStack = 8 << 20;       // bytes: what Linux gives
constexpr rlim_t kSmallStack = 1 << 20;

struct Noted {
  bool taken = false;
  std::array<bool, NSIG> ignored{};
  std::array<rlimit, RLIM_NLIMITS> limits{};
  sigset_t mask{};
};

Noted noted;

// An -o file or a BPF map that became descriptor 2 would get our messages.
Status open_standard_streams() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest that is free is this one.
    if (open("/dev/null", O_RDWR | O_CLOEXEC) < 0)
      return fail_errno(fmt::format("descriptor {} is closed, and /dev/null cannot be opened", fd),
                        errno, "leave it open");
  }
  return {};
}

// Sets the limit to `wanted`, or as near as this user may. Returns what it is now.
rlim_t raise_limit(__rlimit_resource resource, rlim_t wanted) {
  rlimit now = noted.limits[resource];
  if (now.rlim_cur >= wanted) return now.rlim_cur;
  const rlimit most{wanted, std::max(now.rlim_max, wanted)};
  if (setrlimit(resource, &most) == 0) return wanted;
  now.rlim_cur = std::min(wanted, now.rlim_max);
  return setrlimit(resource, &now) == 0 ? now.rlim_cur : noted.limits[resource].rlim_cur;
}

Status raise_limits() {
  for (int i = 0; i < RLIM_NLIMITS; ++i)
    getrlimit(static_cast<__rlimit_resource>(i), &noted.limits[i]);
  const rlim_t descriptors = raise_limit(RLIMIT_NOFILE, kDescriptors);
  if (descriptors < kFewDescriptors)
    return fail(fmt::format("this process may open {} files", descriptors), "that is too few",
                fmt::format("raise it: ulimit -n {}", kFewDescriptors));
  const rlim_t stack = raise_limit(RLIMIT_STACK, kStack);
  if (stack < kSmallStack)
    return fail(fmt::format("the stack is limited to {}", human_bytes(stack)), "that is too little",
                fmt::format("raise it: ulimit -s {}", kStack >> 10));
  // The C library has taken the stacks of threads from the limit that there was.
  pthread_attr_t attributes;
  std::size_t size = 0;
  if (pthread_getattr_default_np(&attributes) != 0) return {};
  if (pthread_attr_getstacksize(&attributes, &size) == 0 && size < kSmallStack &&
      pthread_attr_setstacksize(&attributes, kStack) == 0)
    pthread_setattr_default_np(&attributes);
  pthread_attr_destroy(&attributes);
  return {};
}

}  // namespace

Status Inheritance::take() {
  noted.taken = true;
  sigprocmask(SIG_SETMASK, nullptr, &noted.mask);
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action {};
    noted.ignored[number] =
        sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
  }
  if (auto opened = open_standard_streams(); !opened) return opened;
  return raise_limits();
}

void Inheritance::give_back() {
  if (!noted.taken) return;
  // Handlers end with the exec, but what we ignore would stay ignored.
  for (int number = 1; number < NSIG; ++number)
    if (number != SIGKILL && number != SIGSTOP)
      signal(number, noted.ignored[number] ? SIG_IGN : SIG_DFL);
  for (int i = 0; i < RLIM_NLIMITS; ++i) {
    const auto resource = static_cast<__rlimit_resource>(i);
    rlimit now{};
    if (getrlimit(resource, &now) != 0) continue;
    const rlimit& then = noted.limits[i];
    if (now.rlim_cur != then.rlim_cur || now.rlim_max != then.rlim_max) setrlimit(resource, &then);
  }
  sigprocmask(SIG_SETMASK, &noted.mask, nullptr);
}

bool Inheritance::ignores(int signal) {
  if (noted.taken) return noted.ignored[signal];
  struct sigaction action {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace cowtrace::pipeline
