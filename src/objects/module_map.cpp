// SPDX-License-Identifier: Apache-2.0
#include "objects/module_map.h"

#include <algorithm>
#include <set>

namespace cowtrace::objects {

using process::ElfSegment;
using process::Interval;
using process::MapsEntry;

ModuleMap::ModuleMap(std::vector<MapsEntry> maps, process::ModuleCache& cache,
                     std::optional<pid_t> pid)
    : maps_(std::move(maps)) {
  for (const MapsEntry& entry : maps_) {
    if (!entry.is_file() || !entry.executable()) continue;
    auto& module = modules_[{entry.device, entry.inode}];
    if (module == nullptr) module = cache.open(entry, pid);
  }
}

std::shared_ptr<process::ElfModule> ModuleMap::module_of(const MapsEntry& mapping) const {
  const auto found = modules_.find({mapping.device, mapping.inode});
  return mapping.is_file() && found != modules_.end() ? found->second : nullptr;
}

const std::vector<ModuleInstance>& ModuleMap::instances() {
  if (!instances_) build_instances();
  return *instances_;
}

void ModuleMap::build_instances() {
  instances_.emplace();
  std::set<std::pair<const process::ElfModule*, std::uint64_t>> seen;
  for (const MapsEntry& entry : maps_) {
    // Only code tells the bias for sure: read-only data and relocated data often begin in the same
    // page of the file.
    if (!entry.executable()) continue;
    const auto module = module_of(entry);
    const process::ElfFile* elf = module != nullptr ? module->elf() : nullptr;
    if (elf == nullptr) continue;
    const auto address = elf->address_at(entry.offset, true);
    if (!address) continue;
    const std::uint64_t bias = entry.start - *address;
    if (!seen.insert({module.get(), bias}).second) continue;
    std::uint64_t low = UINT64_MAX;
    std::uint64_t high = 0;
    for (const ElfSegment& segment : elf->segments()) {
      low = std::min(low, segment.address);
      high = std::max(high, segment.address + segment.memory_size);
    }
    // Unsigned arithmetic may wrap on the way; the result must not.
    if (low + bias >= high + bias) continue;
    instances_->push_back({module, bias, low + bias, high + bias, entry.device, entry.inode});
  }
  std::sort(instances_->begin(), instances_->end(),
            [](const ModuleInstance& a, const ModuleInstance& b) {
              return Interval{a.start, a.end}.before(Interval{b.start, b.end});
            });
  std::vector<Interval> intervals;
  for (const ModuleInstance& one : *instances_) intervals.push_back({one.start, one.end});
  index_ = process::IntervalIndex(intervals);
}

const ModuleInstance* ModuleMap::instance_at(std::uint64_t address) {
  const auto& all = instances();
  const auto found = index_.last_covering(address);
  if (!found) return nullptr;
  const ModuleInstance& instance = all[*found];
  const MapsEntry* mapping = process::find_mapping(maps_, address);
  if (mapping == nullptr) return nullptr;
  // Zero-initialised data lies in the anonymous mapping behind the file's own.
  const bool is_ours = mapping->is_file()
                           ? mapping->device == instance.device && mapping->inode == instance.inode
                           : !mapping->path.starts_with("[heap]");
  return is_ours ? &instance : nullptr;
}

}  // namespace cowtrace::objects
