// SPDX-License-Identifier: Apache-2.0
// Folios of 64 KiB, mapped by base pages. A child writes into parts of them: 4 KiB are copied each
// time. Whether the parent, last owner, gets its pages back without a copy depends on the kernel:
// this is what the experiment measures.
#include <fmt/format.h>
#include <linux/kernel-page-flags.h>

#include "scenario/huge.h"
#include "scenario/memory.h"
#include "scenario/settings.h"
#include "scenario/trial.h"

namespace scenario {
namespace {

constexpr const char* kPolicy = "/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled";
constexpr std::uint64_t kRegionSize = 1ull << 20;  // too small for huge pages of 2 MiB

Result<void> allow_large_folios(Settings& settings) {
  if (read_setting("/sys/kernel/mm/transparent_hugepage/enabled").empty())
    return unavailable("cannot get folios of 64 KiB",
                       "this kernel is built without transparent huge pages");
  if (read_setting(kPolicy).empty())
    return unavailable("cannot get folios of 64 KiB", "this kernel has none (since 6.8)");
  return settings.set(kPolicy, "madvise");
}

Result<void> check_folios(const Look& seen) {
  for (const PageState& page : seen.pages) {
    if (!page.has(KPF_COMPOUND_HEAD) && !page.has(KPF_COMPOUND_TAIL))
      return unavailable("cannot get folios of 64 KiB", "the kernel gave base pages",
                         "free some memory");
  }
  return {};
}

// The last owner of large folios: every page is answered, in one way or the other.
Result<void> check_answers(const ProcessTruth& parent) {
  if (!parent.breaks) return {};
  std::uint64_t pages = 0;
  for (const auto& [mechanism, broken] : *parent.breaks) pages += broken.size();
  if (pages == parent.wrote) return {};
  return failed("last owner", fmt::format("{} pages written, {} answered", parent.wrote, pages));
}

}  // namespace

Result<Truth> mthp(const Options& options) {
  constexpr std::uint64_t kPages = kRegionSize / kPageSize;
  Settings settings;
  if (auto allowed = allow_large_folios(settings); !allowed)
    return tl::unexpected<Failure>(allowed.error());
  const auto regions = map_huge_regions((options.pages + kPages - 1) / kPages, kRegionSize);
  if (!regions) return tl::unexpected<Failure>(regions.error());
  const Writing write = write_each_page(*regions);
  if (auto filled = fill_and_settle([&] { static_cast<void>(write()); }); !filled)
    return tl::unexpected<Failure>(filled.error());
  const Trial trial{options.measure, *regions};
  const auto before = look(trial);
  if (!before) return tl::unexpected<Failure>(before.error());
  if (auto large = check_folios(*before); !large) return tl::unexpected<Failure>(large.error());
  auto child = watch_child(trial, write_sparsely(*regions));
  if (!child) return tl::unexpected<Failure>(child.error());
  if (auto all = expect(*child, Mechanism::Copy, child->wrote); !all)
    return tl::unexpected<Failure>(all.error());
  auto parent = watch(trial, Role::Parent, write);
  if (!parent) return tl::unexpected<Failure>(parent.error());
  if (auto answered = check_answers(*parent); !answered)
    return tl::unexpected<Failure>(answered.error());
  return truth_of(options, trial, {*parent, *child});
}

}  // namespace scenario
