// SPDX-License-Identifier: Apache-2.0
#include "python/resolver.h"

#include <algorithm>

namespace cowtrace::python {

void PythonResolver::add(model::SpaceId space, std::uint64_t time_ns, std::shared_ptr<Heap> heap) {
  heaps_[space][time_ns] = std::move(heap);
}

Heap* PythonResolver::heap_at(model::SpaceId space, std::uint64_t time_ns) {
  const auto found = heaps_.find(space);
  if (found == heaps_.end()) return nullptr;
  const auto after = found->second.upper_bound(time_ns);
  return after == found->second.begin() ? nullptr : std::prev(after)->second.get();
}

const model::Object* PythonResolver::intern(const Place& place) {
  const auto [found, is_new] = objects_.try_emplace({place.object, place.size, place.name, place.type});
  if (is_new) {
    model::Object& object = found->second;
    object.kind = model::ObjectKind::Python;
    object.address = place.object;
    object.size = place.size;
    object.name = place.name;
    object.type = place.type;
    object.group = place.group;
  }
  return &found->second;
}

model::Write PythonResolver::write_at(model::SpaceId space, std::uint64_t address, std::uint64_t time_ns) {
  model::Write write = others_->write_at(space, address, time_ns);
  if (write.object != nullptr && write.object->kind == model::ObjectKind::Registered) return write;
  Heap* heap = heap_at(space, time_ns);
  if (heap == nullptr) return write;
  if (const auto place = heap->at(address)) return {intern(*place), place->cause, place->field};
  if (write.cause == model::Cause::Unknown) write.cause = model::Cause::Native;
  return write;
}

const model::Object* PythonResolver::object_at(model::SpaceId space, std::uint64_t address, std::uint64_t time_ns) {
  return write_at(space, address, time_ns).object;
}

std::vector<const model::Object*> PythonResolver::objects_in(model::SpaceId space, std::uint64_t start, std::uint64_t end,
                                                             std::uint64_t time_ns) {
  std::vector<const model::Object*> found = others_->objects_in(space, start, end, time_ns);
  Heap* heap = heap_at(space, time_ns);
  if (heap == nullptr) return found;
  for (const Place& place : heap->in(start, end)) found.push_back(intern(place));
  std::stable_sort(found.begin(), found.end(), [](const auto* a, const auto* b) { return a->address < b->address; });
  return found;
}

std::vector<model::StackFrame> PythonResolver::frames_at(model::SpaceId space, std::uint64_t ip, bool is_return_address,
                                                         std::uint64_t time_ns) {
  return others_->frames_at(space, ip, is_return_address, time_ns);
}

std::optional<std::uint32_t> PythonResolver::store_size_at(model::SpaceId space, std::uint64_t ip) {
  return others_->store_size_at(space, ip);
}

}  // namespace cowtrace::python
