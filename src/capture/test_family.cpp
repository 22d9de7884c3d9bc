// SPDX-License-Identifier: Apache-2.0
#include "capture/test_family.h"

#include <linux/memfd.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/units.h"

namespace cowtrace::capture {
namespace {

enum Done : std::size_t { kFirstWrote, kSecondWrote };

char* map(std::size_t bytes, int flags, int file = -1) {
  void* at =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags | (file < 0 ? MAP_ANONYMOUS : 0), file, 0);
  return at == MAP_FAILED ? nullptr : static_cast<char*>(at);
}

void unmap(volatile char* at, std::size_t bytes) {
  if (at != nullptr) munmap(const_cast<char*>(at), bytes);
}

// Without the handlers of the C library: other threads of ours may hold its locks.
pid_t fork_alone() {
  return static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

void write_to(char* page) {
  *static_cast<volatile char*>(page) = 2;
}

// Where SIGCHLD is ignored there is no status, and this returns when the child has ended all the
// same.
void wait_for(pid_t child) {
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

TestFamily::TestFamily(TestFamily&& other) noexcept
    : pages_(std::exchange(other.pages_, nullptr)),
      file_(std::exchange(other.file_, nullptr)),
      done_(std::exchange(other.done_, nullptr)),
      first_(std::exchange(other.first_, 0)),
      go_(std::move(other.go_)) {}

TestFamily::~TestFamily() {
  if (first_ > 0) {
    kill(first_, SIGKILL);
    wait_for(first_);
  }
  unmap(pages_, 2 * kPageSize);
  unmap(file_, kPageSize);
  unmap(done_, kPageSize);
}

Status TestFamily::map_pages() {
  pages_ = map(2 * kPageSize, MAP_PRIVATE);
  done_ = map(kPageSize, MAP_SHARED);
  if (pages_ == nullptr || done_ == nullptr) return fail_errno("cannot map memory", errno);
  madvise(pages_, 2 * kPageSize, MADV_NOHUGEPAGE);
  pages_[0] = pages_[kPageSize] = 1;
  map_file();
  return {};
}

void TestFamily::map_file() {
  const Fd file(static_cast<int>(syscall(SYS_memfd_create, "cowtrace", MFD_CLOEXEC)));
  if (file && ftruncate(file.get(), kPageSize) == 0)
    file_ = map(kPageSize, MAP_PRIVATE, file.get());
}

Result<TestFamily> TestFamily::start() {
  TestFamily family;
  if (auto mapped = family.map_pages(); !mapped) return tl::unexpected(mapped.error());
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return fail_errno("cannot make a socket", errno);
  const Fd go(ends[0]);
  family.go_.reset(ends[1]);
  // A signal for our process group is ours to answer.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  family.first_ = fork_alone();
  if (family.first_ == 0) family.be_first(go.get());
  const int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (family.first_ < 0) return fail_errno("cannot fork", error);
  return family;
}

void TestFamily::be_first(int go) const {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  close(go_.get());
  char byte = 0;
  // There is no byte where the tracer has died before.
  if (read(go, &byte, 1) != 1) _exit(1);
  write_to(pages_);
  done_[kFirstWrote] = 1;
  const pid_t second = fork_alone();
  if (second == 0) be_second();
  if (second > 0) wait_for(second);
  _exit(0);
}

void TestFamily::be_second() const {
  write_to(pages_ + kPageSize);
  if (file_ != nullptr) write_to(file_);
  done_[kSecondWrote] = 1;
  _exit(0);
}

bool TestFamily::run() {
  const char byte = 0;
  const bool told = send(go_.get(), &byte, 1, MSG_NOSIGNAL) == 1;
  go_.reset();
  wait_for(std::exchange(first_, 0));
  return told && done_[kFirstWrote] != 0 && done_[kSecondWrote] != 0;
}

std::uintptr_t TestFamily::page_of_first() const {
  return reinterpret_cast<std::uintptr_t>(pages_);
}
std::uintptr_t TestFamily::page_of_second() const {
  return page_of_first() + kPageSize;
}

}  // namespace cowtrace::capture
