// SPDX-License-Identifier: Apache-2.0
#include "pipeline/debuginfod_helper.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>

#include "pipeline/debuginfod_wire.h"
#include "pipeline/identity.h"
#include "pipeline/privileges.h"

// What is called of elfutils' <elfutils/debuginfod.h>, whose functions of version ELFUTILS_0.178
// are the same until today.
struct debuginfod_client;

namespace cowtrace::pipeline {
namespace {

// A descriptor, or a negative errno. A length of 0 would mean that the build id is written in
// hexadecimal digits.
using FindDebuginfo = int(debuginfod_client*, const unsigned char* build_id, int length,
                          char** path);

// Of the one that asks.
int answers = -1;   // where they go
long reported = 0;  // bytes of the file that is asked for

class Library {
 public:
  // Empty, or why it cannot be used.
  std::string open(const std::string& name);
  void find(const unsigned char* build_id, std::size_t size);

 private:
  debuginfod_client* client_ = nullptr;
  FindDebuginfo* find_ = nullptr;
};

#ifdef COWTRACE_STATIC
std::string Library::open(const std::string& name) {
  return "this cowtrace is linked statically and cannot load " + name + "; use one that is not";
}
#else
using Begin = debuginfod_client*();
// `progress` is told of bytes that are there and bytes that are to come (0: not known), and stops
// the transfer with anything but 0.
using SetProgress = void(debuginfod_client*,
                         int (*progress)(debuginfod_client*, long there, long all));

int report_progress(debuginfod_client* /*client*/, long there, long all) {
  // Before a server has answered, the first number counts how often was looked.
  if (all <= 0 || there <= reported) return 0;
  reported = there;
  return send_answer(answers, Said::Progress, {}) ? 0 : 1;
}

template <typename Function>
Function* function(void* library, const char* name) {
  return reinterpret_cast<Function*>(dlsym(library, name));
}

std::string Library::open(const std::string& name) {
  if (client_ != nullptr) return {};
  void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* why = dlerror();
    return std::string(why != nullptr ? why : name) + "; install libdebuginfod1";
  }
  auto* begin = function<Begin>(library, "debuginfod_begin");
  find_ = function<FindDebuginfo>(library, "debuginfod_find_debuginfo");
  auto* set_progress = function<SetProgress>(library, "debuginfod_set_progressfn");
  if (begin == nullptr || find_ == nullptr)
    return name + " is not elfutils' library; install libdebuginfod1";
  client_ = begin();
  if (client_ == nullptr) return name + " cannot be initialised";
  if (set_progress != nullptr) set_progress(client_, report_progress);
  return {};
}
#endif

void Library::find(const unsigned char* build_id, std::size_t size) {
  reported = 0;
  const int found = find_(client_, build_id, static_cast<int>(size), nullptr);
  if (found >= 0) {
    const Fd file(found);
    send_answer(answers, Said::Found, {}, file.get());
  } else if (found == -ENOENT) {
    send_answer(answers, Said::NotFound, {});
  } else {
    send_answer(answers, found == -ETIME || found == -ETIMEDOUT ? Said::Late : Said::Failed,
                std::strerror(-found));
  }
}

// Until the other end has gone, or says what is no request.
void answer_requests(const HelperOptions& options) {
  Library library;
  std::array<unsigned char, kMostBuildId + 1> build_id{};
  for (;;) {
    const ssize_t got = recv(answers, build_id.data(), build_id.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < static_cast<ssize_t>(kLeastBuildId) || got > static_cast<ssize_t>(kMostBuildId))
      return;
    if (const std::string trouble = library.open(options.library); !trouble.empty())
      send_answer(answers, Said::Unusable, trouble);
    else
      library.find(build_id.data(), static_cast<std::size_t>(got));
  }
}

bool is_ours_to_write(const char* folder) {
  return access(folder, W_OK | X_OK) == 0;
}

// Of who this process is now, if that is somebody.
std::optional<std::string> home_of(bool was_root, const std::optional<Caller>& who) {
  if (was_root && (!who || who->uid == 0)) return std::nullopt;
  if (was_root) {
    auto user = find_user(std::to_string(who->uid));
    return user ? std::optional(std::move(user->home)) : std::nullopt;
  }
  const char* home = std::getenv("HOME");
  return home != nullptr ? std::optional<std::string>(home) : std::nullopt;
}

// Where the library keeps files: DEBUGINFOD_CACHE_PATH; or in `home`, whose other programs use them
// too; or in a folder of our own, which is returned, to be removed at the end.
std::optional<std::string> choose_cache(const std::optional<std::string>& home) {
  if (const char* chosen = std::getenv("DEBUGINFOD_CACHE_PATH"); chosen != nullptr) {
    mkdir(chosen, 0700);
    if (is_ours_to_write(chosen)) return std::nullopt;
  }
  unsetenv("DEBUGINFOD_CACHE_PATH");
  if (const char* all = std::getenv("XDG_CACHE_HOME"); all != nullptr && !is_ours_to_write(all))
    unsetenv("XDG_CACHE_HOME");
  if (home && is_ours_to_write(home->c_str())) {
    setenv("HOME", home->c_str(), 1);
    return std::nullopt;
  }
  unsetenv("XDG_CACHE_HOME");
  // Such files are large, and /tmp may be memory.
  for (const char* parent : {"/var/tmp", "/tmp"}) {
    std::string folder = std::string(parent) + "/cowtrace-debuginfod-XXXXXX";
    if (mkdtemp(folder.data()) == nullptr) continue;
    setenv("DEBUGINFOD_CACHE_PATH", folder.c_str(), 1);
    return folder;
  }
  return std::nullopt;
}

// Nothing of the terminal, nothing that is open here, and nothing that signals of others do.
void stand_apart(int& socket) {
  setsid();
  prctl(PR_SET_NAME, "cowtrace-fetch");
  for (const int number : {SIGPIPE, SIGXFSZ}) signal(number, SIG_IGN);
  for (const int number : {SIGCHLD, SIGINT, SIGQUIT, SIGTERM, SIGHUP}) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int number : {0, 1, 2}) dup2(nothing, number);
  socket = dup2(socket, 3);
  close_range(4, ~0U, 0);
  fcntl(socket, F_SETFD, FD_CLOEXEC);
  static_cast<void>(chdir("/"));
}

// The whole life of the helper: has another process ask, which it ends, however busy that is, when
// nobody is there to hear the answer.
[[noreturn]] void help(int socket, const HelperOptions& options) {
  const auto who = caller();
  const bool was_root = geteuid() == 0;
  stand_apart(socket);
  if (const auto powerless = become_powerless(who); !powerless) {
    send_answer(socket, Said::Unusable, powerless.error().message());
    _exit(1);
  }
  // elfutils 0.188 may say of a second try that there is no such file, whatever the first one
  // failed of.
  setenv("DEBUGINFOD_RETRY_LIMIT", "0", 0);
  const rlimit most{options.most_bytes, options.most_bytes};
  setrlimit(RLIMIT_FSIZE, &most);
  const auto folder = choose_cache(home_of(was_root, who));
  std::array<int, 2> alive{};
  if (pipe2(alive.data(), O_CLOEXEC) != 0) _exit(1);
  const pid_t asking = fork();
  if (asking == 0) {
    close(alive[0]);
    answers = socket;
    answer_requests(options);
    _exit(0);
  }
  close(alive[1]);
  std::array<pollfd, 2> ends = {{{socket, 0, 0}, {alive[0], 0, 0}}};
  while (asking > 0 && poll(ends.data(), ends.size(), -1) < 0 && errno == EINTR) {
  }
  if (asking > 0) {
    kill(asking, SIGKILL);
    waitpid(asking, nullptr, 0);
  }
  std::error_code ignored;
  if (folder) std::filesystem::remove_all(*folder, ignored);
  _exit(0);
}

}  // namespace

Result<Fd> start_debuginfod_helper(const HelperOptions& options) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return fail_errno("cannot make a socket", errno);
  Fd ours(ends[0]), theirs(ends[1]);
  const pid_t child = fork();
  if (child < 0) return fail_errno("cannot fork", errno);
  if (child == 0) {
    // Nobody's child: no wait for the family meets it.
    if (fork() != 0) _exit(0);
    help(theirs.get(), options);
  }
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return ours;
}

}  // namespace cowtrace::pipeline
