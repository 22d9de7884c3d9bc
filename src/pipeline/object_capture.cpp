// SPDX-License-Identifier: Apache-2.0
#include "pipeline/object_capture.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/units.h"
#include "objects/registry_reader.h"
#include "process/maps.h"

namespace cowtrace::pipeline {
namespace {

std::string_view last_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

// The kernel told a mapping's inode and last name; /proc tells its path.
void ObjectCapture::fill_paths(model::SpaceId space, const std::vector<process::MapsEntry>& maps) {
  for (const process::MapsEntry& entry : maps)
    if (entry.is_file())
      paths_.try_emplace({entry.inode, std::string(last_name(entry.path))}, entry.path);
  const model::AddressSpace* known = session_.find_space(space);
  if (known == nullptr) return;
  for (const model::MappingHash hash : known->mappings) {
    model::Mapping& mapping = session_.mappings.at(hash);
    if (!mapping.path.empty() || mapping.inode == 0) continue;
    const process::MapsEntry* entry = process::find_mapping(maps, mapping.start);
    if (entry != nullptr && entry->inode == mapping.inode) mapping.path = entry->path;
  }
}

void ObjectCapture::finish() {
  for (auto& [hash, mapping] : session_.mappings) {
    if (!mapping.path.empty() || mapping.inode == 0) continue;
    const auto known = paths_.find({mapping.inode, mapping.name});
    if (known != paths_.end()) mapping.path = known->second;
  }
}

void ObjectCapture::capture(pid_t tid, model::SpaceId space) {
  auto maps = process::read_maps(tid);
  if (!maps || maps->empty()) return;
  captured_.insert(space);
  fill_paths(space, *maps);
  if (listener_ != nullptr) listener_->on_maps(space, tid, *maps);
  resolver_->add_space(space, tid, std::move(*maps));
  auto registries = objects::read_registries(tid, resolver_->modules());
  if (!registries) return;
  if (registries->torn + registries->invalid + registries->absent > 0)
    note(fmt::format("process {}: {} registered objects were not readable", tid,
                     registries->torn + registries->invalid + registries->absent));
  for (const std::string& text : registries->notes)
    note(fmt::format("process {}: {}", tid, printable(text)));
  // In a process that runs, the page that leads to the registry is absent for a moment while it is
  // copied: what was read before stays.
  if (registries->objects.empty()) return;
  if (listener_ != nullptr) listener_->on_registered(space, registries->objects);
  resolver_->add_registered(space, std::move(registries->objects));
}

void ObjectCapture::inherit(pid_t child, model::SpaceId child_space, model::SpaceId parent_space) {
  if (!captured_.contains(parent_space)) capture(child, parent_space);
  if (!captured_.contains(parent_space)) return;
  captured_.insert(child_space);
  if (listener_ != nullptr) listener_->on_inherit(child_space, parent_space);
  resolver_->inherit(child_space, parent_space);
}

void ObjectCapture::note(std::string text) {
  constexpr std::size_t kMostNotes = 100;
  if (notes_.size() < kMostNotes && std::find(notes_.begin(), notes_.end(), text) == notes_.end())
    notes_.push_back(std::move(text));
}

}  // namespace cowtrace::pipeline
