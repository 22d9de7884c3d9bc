// SPDX-License-Identifier: Apache-2.0
// Half of the buffer is registered with io_uring, which pins it for as long as it likes. A fork
// cannot share a pinned page, because its device would go on to use the parent's: the child gets
// copies of those pages inside fork, without a fault.
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "scenario/memory.h"
#include "scenario/trial.h"

namespace scenario {
namespace {

// A ring with one fixed buffer, for the life of the process.
Result<void> register_buffer(Region buffer) {
  io_uring_params parameters{};
  const long ring = ::syscall(SYS_io_uring_setup, 1, &parameters);
  if (ring < 0)
    return unavailable("cannot use io_uring", std::strerror(errno),
                       "see /proc/sys/kernel/io_uring_disabled and seccomp filters");
  const iovec place{reinterpret_cast<void*>(buffer.start), buffer.size};
  if (::syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &place, 1) != 0)
    return unavailable("cannot pin pages with io_uring", std::strerror(errno),
                       "raise RLIMIT_MEMLOCK or use fewer --pages");
  return {};
}

}  // namespace

Result<Truth> io_uring(const Options& options) {
  const std::uint64_t pinned = (options.pages + 1) / 2;
  const std::uint64_t bytes = options.pages * kPageSize;
  const auto memory = map_private(bytes);
  if (!memory) return tl::unexpected<Failure>(memory.error());
  const Region region{reinterpret_cast<std::uint64_t>(*memory), bytes};
  if (auto filled = fill_and_settle([&] { static_cast<void>(write_each_page(region)()); }); !filled)
    return tl::unexpected<Failure>(filled.error());
  if (auto done = register_buffer({region.start, pinned * kPageSize}); !done)
    return tl::unexpected<Failure>(done.error());
  Trial trial{options.measure, {region}};
  trial.touch = Touch::Fork;
  const auto before = look(trial);
  if (!before) return tl::unexpected<Failure>(before.error());
  auto child = in_child([&] { return compare(trial, Role::Child, *before, each_page(region)); });
  if (!child) return tl::unexpected<Failure>(child.error());
  if (auto all = expect(*child, Mechanism::ForkCopy, pinned); !all)
    return tl::unexpected<Failure>(all.error());
  Truth truth = truth_of(options, trial, {*child});
  truth.no_exception = true;
  return truth;
}

}  // namespace scenario
