// SPDX-License-Identifier: Apache-2.0
// Owner of one file descriptor.
#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace cowtrace {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int number) : number_(number) {}
  Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.number_, -1));
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  [[nodiscard]] int get() const { return number_; }
  [[nodiscard]] explicit operator bool() const { return number_ >= 0; }
  [[nodiscard]] int release() { return std::exchange(number_, -1); }
  void reset(int number = -1) {
    if (number_ >= 0) ::close(number_);
    number_ = number;
  }

 private:
  int number_ = -1;
};

// Before there are threads: from then on the kernel waits for all CPUs each time that the table of
// descriptors doubles (from 64 on), which takes 10 ms and more (expand_fdtable() in fs/file.c of
// Linux 6.18: synchronize_rcu()). It never shrinks.
inline void make_room_for_descriptors(const Fd& any) {
  constexpr rlim_t kEnough = 4096;  // 32 KiB
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == 0) return;
  const Fd last(
      fcntl(any.get(), F_DUPFD_CLOEXEC, static_cast<int>(std::min(limit.rlim_cur, kEnough) - 1)));
}

}  // namespace cowtrace
