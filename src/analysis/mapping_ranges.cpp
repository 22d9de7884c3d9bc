// SPDX-License-Identifier: Apache-2.0
#include "analysis/mapping_ranges.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <tuple>
#include <vector>

namespace cowtrace::analysis {

std::string mapping_label(const model::Mapping& mapping) {
  if (mapping.inode != 0 || !mapping.path.empty()) {
    if (!mapping.path.empty()) return mapping.path;
    return mapping.name.empty() ? "[file]" : mapping.name;
  }
  // The kernel's own order and comparisons (fs/proc/task_mmu.c, get_vma_name).
  if (mapping.name.starts_with('[')) return mapping.name;
  if (mapping.brk_start != 0 && mapping.start <= mapping.brk_end &&
      mapping.end >= mapping.brk_start)
    return "[heap]";
  if (mapping.stack_start != 0 && mapping.start <= mapping.stack_start &&
      mapping.end >= mapping.stack_start)
    return "[stack]";
  return mapping.name.empty() ? "[anon]" : "[anon:" + mapping.name + "]";
}

MappingRanges::MappingRanges(const model::Session& session) {
  using Row = std::tuple<std::string, std::uint64_t, std::uint64_t, model::MappingHash>;
  std::vector<Row> rows;
  rows.reserve(session.mappings.size());
  for (const auto& [hash, mapping] : session.mappings)
    rows.emplace_back(mapping_label(mapping), mapping.start, std::max(mapping.start, mapping.end),
                      hash);
  std::sort(rows.begin(), rows.end());
  objects_.reserve(rows.size());
  for (const auto& [label, start, end, hash] : rows) {
    model::Object* last = objects_.empty() ? nullptr : &objects_.back();
    if (last == nullptr || last->name != label || start > last->address + last->size) {
      last = &objects_.emplace_back();
      last->kind = model::ObjectKind::Mapping;
      last->name = label;
      last->address = start;
    }
    last->size = std::max(last->size, end - last->address);
    object_of_.emplace(hash, last);
  }
}

const model::Object* MappingRanges::find(const model::Session& session,
                                         const model::AddressSpace& space,
                                         model::MappingHash mapping, std::uint64_t address) const {
  const auto known = object_of_.find(mapping);
  if (known != object_of_.end()) return known->second;
  // Its event was lost: any mapping that this space had there will do, the newest first.
  const auto [had, is_new] = had_.try_emplace(space.id);
  if (is_new) had->second = segments(session, space);
  const auto after = had->second.upper_bound(address);
  return after == had->second.begin() ? nullptr : std::prev(after)->second;
}

MappingRanges::Segments MappingRanges::segments(const model::Session& session,
                                                const model::AddressSpace& space) const {
  // Which mappings begin and end where; the newest has the largest number.
  std::map<std::uint64_t, std::vector<std::size_t>> changes;
  for (std::size_t i = 0; i < space.mappings.size(); ++i) {
    const auto mapping = session.mappings.find(space.mappings[i]);
    if (mapping == session.mappings.end() || mapping->second.start >= mapping->second.end) continue;
    changes[mapping->second.start].push_back(i);
    changes[mapping->second.end].push_back(i);
  }
  Segments result;
  std::set<std::size_t> there;
  for (const auto& [address, numbers] : changes) {
    for (const std::size_t number : numbers)
      if (!there.insert(number).second) there.erase(number);
    result[address] = there.empty() ? nullptr : object_of_.at(space.mappings[*there.rbegin()]);
  }
  return result;
}

}  // namespace cowtrace::analysis
