// SPDX-License-Identifier: Apache-2.0
#include "analysis/advice.h"

#include <algorithm>
#include <array>
#include <utility>

#include "analysis/advice/advices.h"

namespace cowtrace::analysis {

namespace {

struct Row {
  std::string_view id;
  std::optional<Finding> (*look)(const Evidence&);
};

constexpr std::array kTable = {
    Row{"end-at-once", &end_at_once},
    Row{"gc-freeze", &gc_freeze},
    Row{"preload", &preload},
    Row{"refcounts", &refcounts},
    Row{"immortal-objects", &immortal_objects},
    Row{"allocator-churn", &allocator_churn},
    Row{"per-request-writes", &per_request_writes},
    Row{"thp", &thp},
    Row{"workers-fit", &workers_fit},
};

// Copies that the kernel counted and nobody has seen the event of.
std::uint64_t bytes_without_detail(const Summary& summary) {
  std::uint64_t seen = 0;
  for (const MappingSummary& mapping : summary.mappings) seen += mapping.copied_bytes;
  return summary.totals.copied_bytes - std::min(summary.totals.copied_bytes, seen);
}

}  // namespace

std::vector<Advice> advise(const Summary& summary, const model::Session& session) {
  const Evidence evidence{summary, session};
  const std::uint64_t unknown = bytes_without_detail(summary);
  std::vector<Advice> advice;
  for (const Row& row : kTable) {
    auto finding = row.look(evidence);
    if (!finding) continue;
    if (finding->saves_at_most_bytes) *finding->saves_at_most_bytes += unknown;
    advice.push_back({std::string(row.id), std::move(finding->text), finding->saves_at_most_bytes});
  }
  std::stable_sort(advice.begin(), advice.end(), [](const Advice& a, const Advice& b) {
    return a.saves_at_most_bytes.value_or(0) > b.saves_at_most_bytes.value_or(0);
  });
  return advice;
}

std::vector<std::string_view> advice_ids() {
  std::vector<std::string_view> ids;
  for (const Row& row : kTable) ids.push_back(row.id);
  return ids;
}

}  // namespace cowtrace::analysis
