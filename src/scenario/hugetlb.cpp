// SPDX-License-Identifier: Apache-2.0
// Pages of hugetlbfs, reserved for this experiment: a write copies the whole huge page. The parent,
// last owner, reuses its own.
#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "scenario/huge.h"
#include "scenario/settings.h"
#include "scenario/trial.h"
#include "scenario/writes.h"

namespace scenario {
namespace {

constexpr const char* kReserved = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";

std::uint64_t reserved_pages() {
  const std::string text = read_setting(kReserved);
  std::uint64_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

Result<void> reserve(Settings& settings, std::uint64_t more) {
  if (read_setting(kReserved).empty())
    return unavailable("cannot reserve huge pages", "this kernel has none of 2 MiB");
  if (auto turn = settings.take_turn(); !turn) return turn;
  const std::uint64_t wanted = reserved_pages() + more;
  if (auto set = settings.set(kReserved, std::to_string(wanted)); !set) return set;
  if (const std::uint64_t got = reserved_pages(); got < wanted)
    return unavailable(fmt::format("cannot reserve {} huge pages", more),
                       fmt::format("the kernel found {} fewer", wanted - got),
                       "free some memory or use fewer --pages");
  return {};
}

Result<std::vector<Region>> map_hugetlb(std::uint64_t count) {
  constexpr int kTwoMegabytes = 21 << 26;  // MAP_HUGE_2MB
  void* memory = ::mmap(nullptr, count * kHugeSize, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | kTwoMegabytes, -1, 0);
  if (memory == MAP_FAILED)
    return unavailable(fmt::format("cannot map {} huge pages", count), std::strerror(errno),
                       "free some memory or use fewer --pages");
  std::vector<Region> regions;
  for (std::uint64_t i = 0; i < count; ++i)
    regions.push_back({reinterpret_cast<std::uint64_t>(memory) + i * kHugeSize, kHugeSize});
  return regions;
}

// Two words of each huge page, far apart: one copy serves both.
Writing write_twice(const std::vector<Region>& regions) {
  return [&regions]() -> Result<Written> {
    Written written;
    for (const Region& region : regions) {
      for (const std::uint64_t offset : {3 * kPageSize, kHugeSize - kPageSize}) {
        store(reinterpret_cast<std::byte*>(region.start + offset), std::uint64_t{2});
        written.push_back(region.start + offset);
      }
    }
    return written;
  };
}

}  // namespace

Result<Truth> hugetlb(const Options& options) {
  const std::uint64_t count = huge_pages(options.pages);
  Settings settings;
  // One for the parent and one for the child that copies it.
  if (auto reserved = reserve(settings, 2 * count); !reserved)
    return tl::unexpected<Failure>(reserved.error());
  const auto regions = map_hugetlb(count);
  if (!regions) return tl::unexpected<Failure>(regions.error());
  const Writing write = write_twice(*regions);
  static_cast<void>(write());
  Trial trial{options.measure, *regions};
  trial.huge = true;
  auto child = watch_child(trial, write);
  if (!child) return tl::unexpected<Failure>(child.error());
  auto parent = watch(trial, Role::Parent, write);
  if (!parent) return tl::unexpected<Failure>(parent.error());
  if (auto all = expect(*child, Mechanism::HugetlbCopy, count); !all)
    return tl::unexpected<Failure>(all.error());
  if (auto all = expect(*parent, Mechanism::Reuse, count); !all)
    return tl::unexpected<Failure>(all.error());
  return truth_of(options, trial, {*parent, *child});
}

}  // namespace scenario
