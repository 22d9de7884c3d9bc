// SPDX-License-Identifier: Apache-2.0
// Another process reads inherited pages with process_vm_readv, which pins them: since kernel 5.19 a
// read pin of a shared page gives its owner a copy of its own, before that nothing.
#include <sys/uio.h>

#include <cerrno>

#include "scenario/memory.h"
#include "scenario/trial.h"

namespace scenario {
namespace {

// In the actor: one word of each page of its parent's region.
int read_from(pid_t target, Region region) {
  for (const std::uint64_t address : each_page(region)) {
    std::uint64_t word = 0;
    const iovec to{&word, sizeof(word)};
    const iovec from{reinterpret_cast<void*>(address), sizeof(word)};
    if (::process_vm_readv(target, &to, 1, &from, 1, 0) != sizeof(word)) return errno;
  }
  return 0;
}

}  // namespace

Result<Truth> reader_unshares(const Options& options) {
  const std::uint64_t bytes = options.pages * kPageSize;
  const auto memory = map_private(bytes);
  if (!memory) return tl::unexpected<Failure>(memory.error());
  const Region region{reinterpret_cast<std::uint64_t>(*memory), bytes};
  if (auto filled = fill_and_settle([&] { static_cast<void>(write_each_page(region)()); }); !filled)
    return tl::unexpected<Failure>(filled.error());
  Trial trial{options.measure, {region}};
  trial.touch = Touch::ReadPin;
  auto child = in_child([&] {
    return watch_actor(trial, "pinning-reader",
                       [&](pid_t target) { return read_from(target, region); });
  });
  if (!child) return tl::unexpected<Failure>(child.error());
  // All or none: which of the two is the kernel's version.
  const bool unshares = child->breaks && !child->breaks->empty();
  if (auto all = expect(*child, Mechanism::Unshare, unshares ? options.pages : 0); !all)
    return tl::unexpected<Failure>(all.error());
  Truth truth = truth_of(options, trial, {*child});
  truth.no_exception = true;
  return truth;
}

}  // namespace scenario
