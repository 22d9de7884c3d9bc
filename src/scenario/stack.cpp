// SPDX-License-Identifier: Apache-2.0
// A stack that was deep before the fork is inherited as deep: the child's deep calls write the
// parent's old frames of calls and get copies of them.
#include <alloca.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "scenario/trial.h"

namespace scenario {
namespace {

constexpr std::uint64_t kApart = 256ull << 10;  // between the region and calls that are not deep
constexpr std::uint64_t kReserve = 1ull << 20;  // for all other calls

Result<void> check_limit(std::uint64_t bytes) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
      bytes + kReserve <= limit.rlim_cur)
    return {};
  return unavailable(fmt::format("cannot write {} bytes of stack", bytes),
                     fmt::format("the limit is {} (ulimit -s)", limit.rlim_cur),
                     "use fewer --pages, or raise it");
}

// Everything that is called from here has its frames below the region, everything else far above.
[[gnu::noinline]] Result<Truth> deep(const Options& options, std::uint64_t bytes) {
  const auto block = reinterpret_cast<std::uint64_t>(::alloca(bytes + kPageSize + kApart));
  const Region region{(block + kPageSize - 1) / kPageSize * kPageSize, bytes};
  const Writing write = write_each_page(region);
  static_cast<void>(write());
  const Trial trial{.measure = options.measure, .regions = {region}};
  auto child = watch_child(trial, write);
  if (!child) return tl::unexpected<Failure>(child.error());
  if (auto all = expect(*child, Mechanism::Copy, options.pages); !all)
    return tl::unexpected<Failure>(all.error());
  return truth_of(options, trial, {*child});
}

}  // namespace

Result<Truth> stack(const Options& options) {
  const std::uint64_t bytes = options.pages * kPageSize;
  if (auto enough = check_limit(bytes); !enough) return tl::unexpected<Failure>(enough.error());
  ::prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);  // base pages only, whatever the machine's policy
  return deep(options, bytes);
}

}  // namespace scenario
