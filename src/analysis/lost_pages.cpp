// SPDX-License-Identifier: Apache-2.0
#include "analysis/lost_pages.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>

#include <set>

#include "base/units.h"

namespace cowtrace::analysis {

namespace {

constexpr std::size_t kMostNotes = 5;

bool was_killed_by(const model::Process& process, int signal) {
  return process.wait_status && WIFSIGNALED(static_cast<int>(*process.wait_status)) &&
         WTERMSIG(static_cast<int>(*process.wait_status)) == signal;
}

bool is_hugetlb(const model::Session& session, model::MappingHash hash) {
  constexpr std::uint64_t kHugetlb = 0x400000;  // VM_HUGETLB
  const auto mapping = session.mappings.find(hash);
  return mapping != session.mappings.end() && (mapping->second.flags & kHugetlb) != 0;
}

// Hugetlb pages that `parents` made its own while the child lived, and of which the child had no
// copy by then. Where the kernel has taken a page from the child, the parent is its last owner: it
// writes in place.
std::uint64_t pages_taken(const model::Session& session, const model::AddressSpace& parents,
                          const model::Process& child) {
  const std::uint64_t from_ns = child.fork_ns.value_or(child.start_ns),
                      until_ns = child.exit_ns.value_or(UINT64_MAX);
  const model::AddressSpace* own =
      child.spaces.empty() ? nullptr : session.find_space(child.spaces.front());
  std::set<std::uint64_t> copied, taken;
  const auto is_taking = [&](model::Mechanism mechanism, model::MappingHash mapping) {
    return (mechanism == model::Mechanism::HugetlbCopy || mechanism == model::Mechanism::Reuse) &&
           is_hugetlb(session, mapping);
  };
  if (own != nullptr) {
    for (const model::Resolution& event : own->resolutions)
      if (event.mechanism == model::Mechanism::HugetlbCopy)
        copied.insert(page_start(event.address, event.size));
    for (const model::PageCount& row : own->page_counts)
      if (row.mechanism == model::Mechanism::HugetlbCopy)
        copied.insert(page_start(row.page, row.size));
  }
  for (const model::Resolution& event : parents.resolutions)
    if (event.time_ns >= from_ns && event.time_ns <= until_ns &&
        is_taking(event.mechanism, event.mapping))
      taken.insert(page_start(event.address, event.size));
  for (const model::PageCount& row : parents.page_counts)
    if (row.last_ns >= from_ns && row.first_ns <= until_ns && is_taking(row.mechanism, row.mapping))
      taken.insert(page_start(row.page, row.size));
  std::erase_if(taken, [&](std::uint64_t page) { return copied.contains(page); });
  return taken.size();
}

}  // namespace

std::vector<std::string> lost_page_notes(const model::Session& session) {
  std::vector<std::string> notes;
  std::size_t left_out = 0;
  for (const model::Process& process : session.processes) {
    if (!was_killed_by(process, SIGBUS) || !process.forked_space || !process.forked_from) continue;
    const model::AddressSpace* parents = session.find_space(*process.forked_space);
    if (parents == nullptr || process.forked_from->value >= session.processes.size()) continue;
    const std::uint64_t pages = pages_taken(session, *parents, process);
    if (pages == 0) continue;
    if (notes.size() == kMostNotes) {
      ++left_out;
      continue;
    }
    notes.push_back(
        fmt::format("process {} was killed by SIGBUS: its parent {} wrote {} that both shared, and "
                    "where none is free for a copy the kernel "
                    "takes the page away from the child, whose next access is the signal: reserve "
                    "more huge pages (vm.nr_hugepages)",
                    process.pid, session.process(*process.forked_from).pid,
                    pages == 1 ? "a huge page" : fmt::format("{} huge pages", human_count(pages))));
  }
  if (left_out != 0)
    notes.push_back(fmt::format("{} more were killed in this way", human_count(left_out)));
  return notes;
}

}  // namespace cowtrace::analysis
