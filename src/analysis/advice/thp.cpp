// SPDX-License-Identifier: Apache-2.0
// One byte written to a huge page, and 2 MiB taken for it.
// Evidence: copies of whole huge pages (hugetlb), and huge pages given for the huge zero page. A
// transparent huge page that is shared is none: the kernel splits it and copies 4 KiB. Bound: all
// but one base page of each, for at least one was written.
#include <fmt/format.h>

#include <algorithm>

#include "analysis/advice/advices.h"
#include "base/units.h"

namespace cowtrace::analysis {

namespace {

std::uint64_t beyond_base_pages(const MechanismSummary& sum) {
  return sum.bytes - std::min(sum.bytes, sum.count * kPageSize);
}

}  // namespace

std::optional<Finding> thp(const Evidence& evidence) {
  const auto& by_mechanism = evidence.summary.totals.by_mechanism;
  const MechanismSummary& copied =
      by_mechanism[static_cast<std::size_t>(model::Mechanism::HugetlbCopy)];
  const MechanismSummary& filled =
      by_mechanism[static_cast<std::size_t>(model::Mechanism::HugeZeroFill)];
  const std::uint64_t bytes = beyond_base_pages(copied) + beyond_base_pages(filled);
  if (bytes == 0) return std::nullopt;
  std::string text;
  if (copied.count != 0)
    text += fmt::format(
        "{}, where 4 KiB are copied of other memory: keep what is written after the fork out of "
        "hugetlb memory.",
        counted(copied.count, "write copied a whole huge page",
                "writes copied a whole huge page each"));
  if (filled.count != 0)
    text += fmt::format(
        "{}{} for memory that had only been read: let it have base pages (MADV_NOHUGEPAGE, or "
        "/sys/kernel/mm/transparent_hugepage/enabled at madvise).",
        text.empty() ? "" : " ",
        counted(filled.count, "write took a huge page", "writes took a huge page each"));
  return Finding{text, bytes};
}

}  // namespace cowtrace::analysis
