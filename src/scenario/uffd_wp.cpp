// SPDX-License-Identifier: Apache-2.0
// userfaultfd write protection: each first write waits for a thread that allows it. That is no
// break by itself: whoever owns the pages alone keeps its frames, who shares them gets copies.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/userfaultfd.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <poll.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>

#include "scenario/faults.h"
#include "scenario/memory.h"
#include "scenario/trial.h"

namespace scenario {
namespace {

constexpr const char* kNeeds = "use Linux 5.7 with CONFIG_HAVE_ARCH_USERFAULTFD_WP, as root";

// A region whose pages are write-protected until each is written for the first time.
class Guard {
 public:
  static Result<std::unique_ptr<Guard>> over(Region region);
  ~Guard();
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  [[nodiscard]] std::uint64_t allowed() const { return allowed_; }  // after stop()
  void stop();

 private:
  Guard(int faults, int end, Region region) : faults_(faults), end_(end), region_(region) {}
  bool protect(std::uint64_t start, std::uint64_t size, std::uint64_t mode) const;
  void answer();

  int faults_;
  int end_;
  Region region_;
  std::uint64_t allowed_ = 0;  // writes
  std::thread thread_;
};

Result<std::unique_ptr<Guard>> Guard::over(Region region) {
  const auto faults = static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK));
  if (faults < 0) return unavailable("cannot open a userfaultfd", std::strerror(errno), kNeeds);
  const int end = ::eventfd(0, EFD_CLOEXEC);
  auto guard = std::unique_ptr<Guard>(new Guard(faults, end, region));
  if (end < 0)
    return unavailable("cannot open an eventfd", std::strerror(errno), "raise the limits");
  uffdio_api api{UFFD_API, UFFD_FEATURE_PAGEFAULT_FLAG_WP, 0};
  if (::ioctl(faults, UFFDIO_API, &api) != 0)
    return unavailable("cannot write-protect with userfaultfd", std::strerror(errno), kNeeds);
  uffdio_register range{{region.start, region.size}, UFFDIO_REGISTER_MODE_WP, 0};
  if (::ioctl(faults, UFFDIO_REGISTER, &range) != 0 ||
      !guard->protect(region.start, region.size, UFFDIO_WRITEPROTECT_MODE_WP))
    return unavailable("cannot write-protect memory with userfaultfd", std::strerror(errno),
                       kNeeds);
  guard->thread_ = std::thread([&watched = *guard] { watched.answer(); });
  return guard;
}

void Guard::stop() {
  if (!thread_.joinable()) return;
  ::eventfd_write(end_, 1);
  thread_.join();
}

Guard::~Guard() {
  stop();
  ::close(end_);
  ::close(faults_);
}

bool Guard::protect(std::uint64_t start, std::uint64_t size, std::uint64_t mode) const {
  uffdio_writeprotect change{{start, size}, mode};
  return ::ioctl(faults_, UFFDIO_WRITEPROTECT, &change) == 0;
}

void Guard::answer() {
  std::array<pollfd, 2> ready{pollfd{faults_, POLLIN, 0}, pollfd{end_, POLLIN, 0}};
  while (::poll(ready.data(), ready.size(), -1) > 0 || errno == EINTR) {
    if (ready[1].revents != 0) return;
    uffd_msg message{};
    if (::read(faults_, &message, sizeof(message)) != sizeof(message)) continue;
    const std::uint64_t page = message.arg.pagefault.address / kPageSize * kPageSize;
    if (message.event == UFFD_EVENT_PAGEFAULT && protect(page, kPageSize, 0)) ++allowed_;
  }
}

Result<ProcessTruth> write_guarded(const Trial& trial, Role role) {
  const Region region = trial.regions[0];
  auto guard = Guard::over(region);
  if (!guard) return tl::unexpected<Failure>(guard.error());
  std::vector<std::uint64_t> faulted;
  auto truth = watch(trial, role, [&]() -> Result<Written> {
    faulted = store_and_count_faults(region);
    return pages_of(region);
  });
  (*guard)->stop();
  if (!truth) return truth;
  if ((*guard)->allowed() != region.size / kPageSize)
    return failed(fmt::format("{} of {} writes waited for the thread", (*guard)->allowed(),
                              region.size / kPageSize),
                  "userfaultfd did not tell");
  add_reuses(*truth, faulted);
  return truth;
}

}  // namespace

Result<Truth> uffd_wp(const Options& options) {
  const std::uint64_t bytes = options.pages * kPageSize;
  const auto memory = map_private(bytes);
  if (!memory) return tl::unexpected<Failure>(memory.error());
  const Region region{reinterpret_cast<std::uint64_t>(*memory), bytes};
  if (auto filled = fill_and_settle([&] { store_each_page(region); }); !filled)
    return tl::unexpected<Failure>(filled.error());
  const Trial trial{.measure = options.measure, .regions = {region}, .write_protected = false};
  auto parent = write_guarded(trial, Role::Parent);
  if (!parent) return tl::unexpected<Failure>(parent.error());
  auto child = in_child([&] { return write_guarded(trial, Role::Child); });
  if (!child) return tl::unexpected<Failure>(child.error());
  for (const auto& [process, copies] :
       {std::pair(&*parent, std::uint64_t{0}), std::pair(&*child, options.pages)}) {
    if (auto as_expected = expect(*process, Mechanism::Copy, copies); !as_expected)
      return tl::unexpected<Failure>(as_expected.error());
  }
  return truth_of(options, trial, {*parent, *child});
}

}  // namespace scenario
