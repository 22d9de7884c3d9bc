// SPDX-License-Identifier: Apache-2.0
#include "analysis/allocators.h"

#include <algorithm>
#include <tuple>

#include "base/units.h"

namespace cowtrace::analysis {

namespace {

constexpr std::uint64_t kHugePage = std::uint64_t{2} << 20;

// Gave the page its first content of this family's own.
bool is_first(model::Mechanism mechanism) {
  using enum model::Mechanism;
  return mechanism == FirstWrite || mechanism == ZeroFill || mechanism == HugeZeroFill ||
         mechanism == FileCopy;
}

}  // namespace

FirstWrites::FirstWrites(const model::Session& session) : session_(session) {
  if (!recorded()) return;
  for (const model::AddressSpace& space : session.spaces) {
    Pages& pages = pages_of_[space.id];
    for (const model::Resolution& event : space.resolutions)
      if (is_first(event.mechanism))
        pages.push_back({page_start(event.address, event.size), event.size, event.time_ns, &event});
    std::sort(pages.begin(), pages.end(), [](const Page& a, const Page& b) {
      return std::tie(a.start, a.time_ns) < std::tie(b.start, b.time_ns);
    });
  }
}

const model::Resolution* FirstWrites::find(const Pages& pages, std::uint64_t page,
                                           std::uint64_t before_ns) {
  const Page* best = nullptr;
  // The page itself, or a huge one around it.
  for (const std::uint64_t start : {page, page & ~(kHugePage - 1)}) {
    auto at = std::lower_bound(pages.begin(), pages.end(), std::pair(start, before_ns),
                               [](const Page& a, const auto& wanted) {
                                 return std::tie(a.start, a.time_ns) <
                                        std::tie(wanted.first, wanted.second);
                               });
    while (at != pages.begin() && (at - 1)->start == start) {
      --at;
      if (page - start >= at->size) continue;
      if (best == nullptr || best->time_ns < at->time_ns) best = &*at;
      break;
    }
  }
  return best != nullptr ? best->write : nullptr;
}

const model::Resolution* FirstWrites::of(const Touch& touch) const {
  const model::AddressSpace* space = touch.space;
  std::uint64_t before_ns = touch.first_ns;
  // No process descends from itself (Session::is_consistent), so this ends.
  while (space != nullptr) {
    const auto pages = pages_of_.find(space->id);
    if (pages == pages_of_.end()) return nullptr;
    if (const model::Resolution* write = find(pages->second, page_of(touch.address), before_ns);
        write != nullptr)
      return write;
    if (space->owner.value >= session_.processes.size()) return nullptr;
    const model::Process& owner = session_.process(space->owner);
    // What it executed later has inherited nothing.
    if (!owner.forked_space || owner.spaces.empty() || owner.spaces.front() != space->id ||
        *owner.forked_space == space->id)
      return nullptr;
    before_ns = owner.fork_ns.value_or(owner.start_ns);
    space = session_.find_space(*owner.forked_space);
  }
  return nullptr;
}

bool FirstWrites::is_of_exec(const model::Resolution& write) const {
  const model::AddressSpace* space = session_.find_space(write.space);
  if (!write.in_kernel || space == nullptr || space->owner.value >= session_.processes.size())
    return false;
  const model::Process& owner = session_.process(space->owner);
  // Of a process that was forked here the first space is not of an exec.
  const std::size_t inherited =
      owner.spaces.size() - std::min(owner.spaces.size(), owner.exec_ns.size());
  const auto number = static_cast<std::size_t>(
      std::find(owner.spaces.begin(), owner.spaces.end(), write.space) - owner.spaces.begin());
  if (number < inherited || number - inherited >= owner.exec_ns.size()) return false;
  return write.time_ns < owner.exec_ns[number - inherited];
}

}  // namespace cowtrace::analysis
