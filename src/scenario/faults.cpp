// SPDX-License-Identifier: Apache-2.0
#include "scenario/faults.h"

#include <sys/resource.h>

#include <algorithm>
#include <set>

#include "scenario/writes.h"

namespace scenario {
namespace {

long faults_of_this_thread() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_minflt + usage.ru_majflt;
}

}  // namespace

std::vector<std::uint64_t> store_and_count_faults(Region region) {
  std::vector<std::uint64_t> faulted;
  faulted.reserve(region.size / kPageSize);
  for (std::uint64_t offset = 0; offset < region.size; offset += kPageSize) {
    auto* place =
        reinterpret_cast<std::byte*>(region.start + offset + offset_in_page(offset / kPageSize));
    const long before = faults_of_this_thread();
    store(place, std::uint64_t{2});
    const bool took_one = faults_of_this_thread() != before;
    if (took_one) faulted.push_back(region.start + offset);
  }
  return faulted;
}

void add_reuses(ProcessTruth& truth, const std::vector<std::uint64_t>& faulted) {
  if (!truth.breaks) return;
  std::set<std::uint64_t> broken;
  for (const auto& [mechanism, pages] : *truth.breaks) broken.insert(pages.begin(), pages.end());
  std::vector<std::uint64_t> reused;
  for (const std::uint64_t page : faulted) {
    if (!broken.contains(page)) reused.push_back(page);
  }
  if (!reused.empty()) (*truth.breaks)[Mechanism::Reuse] = std::move(reused);
}

}  // namespace scenario
