// SPDX-License-Identifier: Apache-2.0
// Pages that KSM has merged: a write copies them again, in whatever process.
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>

#include "scenario/frames.h"
#include "scenario/memory.h"
#include "scenario/settings.h"
#include "scenario/trial.h"
#include "scenario/writes.h"

namespace scenario {
namespace {

constexpr std::chrono::seconds kPatience{30};

Result<void> set_ksm(Settings& settings, const char* name, const char* value) {
  const std::string path = std::string("/sys/kernel/mm/ksm/") + name;
  if (read_setting(path).empty())
    return unavailable("cannot use KSM", "this kernel is built without it");
  return settings.set(path, value);
}

// Every page has a twin that holds the same and differs from all others: KSM keeps one frame of
// two, however many pages there are.
void fill_twins(std::byte* pages, std::byte* twins, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    for (std::byte* page : {pages + i * kPageSize, twins + i * kPageSize}) {
      store(page, std::uint64_t{0x6b736d});
      store(page + kPageSize / 2, i + 1);
    }
  }
}

// Two pages of one process with the same frame: nothing but KSM does that to anonymous memory.
Result<std::uint64_t> count_merged(const Region& pages, const Region& twins) {
  const auto seen = observe(std::array{pages, twins});
  if (!seen) return tl::unexpected<Failure>(seen.error());
  const std::size_t half = seen->size() / 2;
  std::uint64_t merged = 0;
  for (std::size_t i = 0; i < half; ++i)
    merged += (*seen)[i].frame != 0 && (*seen)[i].frame == (*seen)[half + i].frame ? 1 : 0;
  return merged;
}

Result<void> wait_until_merged(const Region& pages, const Region& twins) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  const std::uint64_t all = pages.size / kPageSize;
  for (;;) {
    const auto merged = count_merged(pages, twins);
    if (!merged) return tl::unexpected<Failure>(merged.error());
    if (*merged == all) return {};
    if (std::chrono::steady_clock::now() > deadline)
      return unavailable("cannot get merged pages",
                         fmt::format("{} of {} were merged in half a minute", *merged, all),
                         "use fewer --pages");
    ::usleep(20'000);
  }
}

// Other processes' pages are merged as well for this short time, which they cannot notice.
Result<void> start_merging(Settings& settings) {
  for (const auto& [name, value] : {std::pair("sleep_millisecs", "0"),
                                    std::pair("pages_to_scan", "5000"), std::pair("run", "1")}) {
    if (auto set = set_ksm(settings, name, value); !set) return set;
  }
  return {};
}

}  // namespace

Result<Truth> ksm(const Options& options) {
  const std::uint64_t bytes = options.pages * kPageSize;
  Settings settings;
  if (auto started = start_merging(settings); !started)
    return tl::unexpected<Failure>(started.error());
  const auto pages = map_private(bytes);
  if (!pages) return tl::unexpected<Failure>(pages.error());
  const auto twins = map_private(bytes);
  if (!twins) return tl::unexpected<Failure>(twins.error());
  fill_twins(*pages, *twins, options.pages);
  for (std::byte* memory : {*pages, *twins}) {
    if (::madvise(memory, bytes, MADV_MERGEABLE) != 0)
      return unavailable("cannot ask for merging", std::strerror(errno));
  }
  const Region region{reinterpret_cast<std::uint64_t>(*pages), bytes};
  const Region others{reinterpret_cast<std::uint64_t>(*twins), bytes};
  if (auto merged = wait_until_merged(region, others); !merged)
    return tl::unexpected<Failure>(merged.error());
  // What is written from now on must stay apart.
  if (auto stopped = set_ksm(settings, "run", "0"); !stopped)
    return tl::unexpected<Failure>(stopped.error());
  Trial trial{options.measure, {region}};
  trial.merged = true;
  auto child = watch_child(trial, write_each_page(region));
  if (!child) return tl::unexpected<Failure>(child.error());
  auto parent = watch(trial, Role::Parent, write_each_page(region));
  if (!parent) return tl::unexpected<Failure>(parent.error());
  for (const ProcessTruth* process : {&*parent, &*child}) {
    if (auto all = expect(*process, Mechanism::KsmCopy, options.pages); !all)
      return tl::unexpected<Failure>(all.error());
  }
  return truth_of(options, trial, {*parent, *child});
}

}  // namespace scenario
