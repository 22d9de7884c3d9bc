// SPDX-License-Identifier: Apache-2.0
// The kernel writes on behalf of a system call: read(2) from a pipe into inherited pages faults in
// kernel mode.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "scenario/experiment.h"
#include "scenario/writes.h"

namespace scenario {
namespace {

class Pipe {
 public:
  Pipe() : error_(::pipe2(ends_.data(), O_CLOEXEC) == 0 ? 0 : errno) {}
  ~Pipe() {
    if (error_ != 0) return;
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  [[nodiscard]] int error() const { return error_; }

  // Lets the kernel write `size` bytes (at most kStep) to `to`; false with errno set on failure.
  [[nodiscard]] bool fill(void* to, std::size_t size) const {
    static constexpr std::array<char, kStep> kText{"from the pipe"};
    const auto bytes = static_cast<ssize_t>(size);
    return ::write(ends_[1], kText.data(), size) == bytes && ::read(ends_[0], to, size) == bytes;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
  int error_;
};

[[gnu::noinline]] bool read_into_pages(const Pipe& pipe, const Ground& ground) {
  for (std::uint64_t i = 0; i < ground.pages(); ++i) {
    if (!pipe.fill(ground.page(i) + offset_in_page(i), kStep)) return false;
  }
  return true;
}

[[gnu::noinline]] bool read_into_small_objects(const Pipe& pipe, const Ground& ground) {
  return pipe.fill(ground.small().last_request.path, sizeof(ground.small().last_request.path)) &&
         pipe.fill(&ground.small().hits, sizeof(ground.small().hits));
}

[[gnu::noinline]] bool read_into_global(const Pipe& pipe) {
  return pipe.fill(&global_counters.requests, sizeof(global_counters.requests));
}

Result<std::uint64_t> read_into_everything(const Ground& ground) {
  const Pipe pipe;
  if (pipe.error() != 0)
    return unavailable("cannot make a pipe", std::strerror(pipe.error()),
                       "raise the limit of open files");
  if (!read_into_pages(pipe, ground) || !read_into_small_objects(pipe, ground) ||
      !read_into_global(pipe)) {
    return failed("cannot read from the pipe", std::strerror(errno));
  }
  return ground.all_pages();
}

}  // namespace

Result<Truth> syscall_write(const Options& options) {
  return play(options, {.steps = {{Role::Child, read_into_everything, true}}});
}

}  // namespace scenario
