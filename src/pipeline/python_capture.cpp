// SPDX-License-Identifier: Apache-2.0
#include "pipeline/python_capture.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/units.h"
#include "process/maps.h"

namespace cowtrace::pipeline {
namespace {

constexpr std::uint64_t kMostHeldBytes = std::uint64_t{4} << 30;  // of all images together
constexpr std::uint64_t kLeastChanged = 256;                      // pages
constexpr std::uint64_t kNamesStaySeventh = 50;                   // names are made anew when one page in so many has changed

}  // namespace

// A program without an interpreter costs a look at its mappings, no image.
bool PythonCapture::may_be_python(pid_t tid, const model::Process& parent) {
  if (!parent.spaces.empty() && known_.contains(parent.spaces.back())) return true;
  const auto maps = process::read_maps(tid);
  if (!maps) return false;
  bool first = true;
  for (const process::MapsEntry& entry : *maps) {
    if (!entry.is_file()) continue;
    const std::string_view path = entry.path;
    const bool candidate = std::exchange(first, false) || path.substr(path.rfind('/') + 1).find("python") != std::string_view::npos;
    if (!candidate) continue;
    const auto [known, is_new] = programs_.try_emplace(fmt::format("{}:{}:{}", entry.device, entry.inode, entry.path));
    if (is_new) {
      const auto module = modules_.open(entry, tid);
      known->second = module->elf() != nullptr &&
                      (module->find_symbol("_PyRuntime").has_value() || module->elf()->section(".PyRuntime") != nullptr);
    }
    if (known->second) return true;
  }
  return false;
}

// Pages that were written since the last image of `space`: after a fork every first write is a fault.
std::unordered_set<std::uint64_t> PythonCapture::written_since(const Known& known, model::SpaceId space) const {
  std::unordered_set<std::uint64_t> pages;
  const model::AddressSpace* found = session_.find_space(space);
  if (found == nullptr) return pages;
  for (std::size_t i = std::min(known.events, found->resolutions.size()); i < found->resolutions.size(); ++i) {
    const model::Resolution& event = found->resolutions[i];
    const std::uint64_t start = event.size > kPageSize ? event.address / event.size * event.size : page_of(event.address);
    for (std::uint64_t page = start; page < start + std::max<std::uint64_t>(event.size, kPageSize); page += kPageSize) pages.insert(page);
  }
  return pages;
}

std::shared_ptr<python::Heap> PythonCapture::take(pid_t tid, model::SpaceId parent_space) {
  const auto known = known_.find(parent_space);
  python::MemoryImage::Limits limits;
  if (held_bytes_ >= kMostHeldBytes) {
    notes_.insert("Python objects of later forks have no names: their images would take more memory than is set aside for them");
    return nullptr;
  }
  limits.max_bytes = std::min(limits.max_bytes, kMostHeldBytes - held_bytes_);
  auto image = known != known_.end() ? python::MemoryImage::take_after(known->second.heap->shared_image(),
                                                                       written_since(known->second, parent_space), tid, modules_, limits)
                                     : python::MemoryImage::take(tid, modules_, limits);
  if (!image) {
    notes_.insert(fmt::format("Python objects have no names: {}", image.error().message()));
    return nullptr;
  }
  held_bytes_ += (*image)->bytes_read();
  if ((*image)->bytes_left_out() > 0)
    notes_.insert(fmt::format("the largest mappings of a Python process were not looked into for objects: {}",
                              human_bytes((*image)->bytes_left_out())));
  if (known != known_.end()) {
    const python::Heap& before = *known->second.heap;
    const auto& source = before.before() != nullptr ? before.before() : known->second.heap;
    const bool similar = (*image)->changed_pages().size() <= kLeastChanged + source->image().frames().pages() / kNamesStaySeventh;
    return std::make_shared<python::Heap>(*image, before.runtime(), similar ? source : nullptr);
  }
  python::Found found = python::find_runtime(**image);
  if (!found.runtime) {
    if (!found.unknown.empty()) notes_.insert(printable(found.unknown));
    return nullptr;
  }
  return std::make_shared<python::Heap>(*image, std::move(*found.runtime));
}

void PythonCapture::on_fork(pid_t tid, const model::Process& child, const model::Process& parent) {
  if (child.spaces.empty() || parent.spaces.empty() || !may_be_python(tid, parent)) return;
  const model::SpaceId of_parent = parent.spaces.back(), of_child = child.spaces.front();
  const auto heap = take(tid, of_parent);
  if (heap == nullptr) return;
  const std::uint64_t time_ns = child.fork_ns.value_or(child.start_ns);
  for (const model::SpaceId space : {of_parent, of_child}) {
    const model::AddressSpace* found = session_.find_space(space);
    known_[space] = {heap, found != nullptr ? found->resolutions.size() : 0, 0};
    entries_.push_back({space, time_ns, heap});
  }
}

std::unique_ptr<model::Resolver> PythonCapture::take_resolver(std::unique_ptr<model::Resolver> others) {
  if (entries_.empty()) return others;
  auto resolver = std::make_unique<python::PythonResolver>(std::move(others));
  for (Entry& entry : entries_) resolver->add(entry.space, entry.time_ns, std::move(entry.heap));
  return resolver;
}

}  // namespace cowtrace::pipeline
