// SPDX-License-Identifier: Apache-2.0
#include "python/resolver.h"

#include <algorithm>

#include "base/interrupt.h"

namespace cowtrace::python {
namespace {

// Each fork has an image, and a program may fork very often. A report asks about one page in all
// processes that had it before it goes on to the next page, so the images of some processes stay
// readable.
constexpr std::size_t kMostAsked = 32;  // images that stay readable
constexpr std::uint64_t kReadableUnasked =
    1 << 20;  // bytes of each of them but the one that was asked last

}  // namespace

void PythonResolver::add(model::SpaceId space, std::uint64_t time_ns, std::shared_ptr<Heap> heap) {
  std::shared_ptr<Heap>& place = heaps_[space][time_ns];
  known_.erase(place.get());
  std::erase(asked_, place.get());
  place = std::move(heap);
}

Heap* PythonResolver::heap_at(model::SpaceId space, std::uint64_t time_ns) {
  const auto found = heaps_.find(space);
  if (found == heaps_.end()) return nullptr;
  const auto after = found->second.upper_bound(time_ns);
  if (after == found->second.begin()) return nullptr;
  Heap* const heap = std::prev(after)->second.get();
  if (asked_.empty() || asked_.back() != heap) note_asked(heap);
  return heap;
}

void PythonResolver::note_asked(Heap* heap) {
  if (!asked_.empty()) asked_.back()->image().forget(kReadableUnasked);
  std::erase(asked_, heap);
  asked_.push_back(heap);
  if (asked_.size() <= kMostAsked) return;
  asked_.front()->image().forget(0);
  asked_.erase(asked_.begin());
}

void PythonResolver::hurry() {
  hurried_ = true;
  others_->hurry();
}

std::shared_ptr<const void> PythonResolver::finish() {
  struct Given {
    std::shared_ptr<const void> by_others;
    std::map<Identity, model::Object> objects;
  };
  return std::make_shared<const Given>(Given{others_->finish(), std::move(objects_)});
}

const model::Object* PythonResolver::intern(const Place& place) {
  const auto [found, is_new] =
      objects_.try_emplace({place.object, place.size, place.name, place.type});
  if (is_new) {
    model::Object& object = found->second;
    object.kind = model::ObjectKind::Python;
    object.address = place.object;
    object.size = place.size;
    object.name = place.name;
    object.type = place.type;
    object.group = place.group;
    object.group_items = place.group_items;
    object.kept_by_interpreter = place.kept;
  }
  return &found->second;
}

const PythonResolver::Known::Write& PythonResolver::write_in(Heap& heap, std::uint64_t address) {
  const auto [known, is_new] = known_[&heap].writes.try_emplace(address);
  if (!is_new) return known->second;
  if (const auto place = heap.at(address))
    known->second = {intern(*place), &*fields_.insert(place->field).first, place->cause};
  return known->second;
}

std::span<const model::Object* const> PythonResolver::objects_of(Heap& heap, std::uint64_t start,
                                                                 std::uint64_t end) {
  Known& of_heap = known_[&heap];
  const auto [known, is_new] = of_heap.ranges.try_emplace({start, end});
  if (is_new) {
    known->second.first = static_cast<std::uint32_t>(of_heap.objects.size());
    for (const Place& place : heap.in(start, end)) of_heap.objects.push_back(intern(place));
    known->second.second = static_cast<std::uint32_t>(of_heap.objects.size());
  }
  return std::span(of_heap.objects)
      .subspan(known->second.first, known->second.second - known->second.first);
}

model::Write PythonResolver::write_at(model::SpaceId space, std::uint64_t address,
                                      std::uint64_t time_ns) {
  check_interrupt();
  model::Write write = others_->write_at(space, address, time_ns);
  if (hurried_) return write;
  if (write.object != nullptr && write.object->kind == model::ObjectKind::Registered) return write;
  Heap* heap = heap_at(space, time_ns);
  if (heap == nullptr) return write;
  if (const auto& known = write_in(*heap, address); known.object != nullptr)
    return {known.object, known.cause, *known.field};
  if (write.cause == model::Cause::Unknown) write.cause = model::Cause::Native;
  return write;
}

const model::Object* PythonResolver::object_at(model::SpaceId space, std::uint64_t address,
                                               std::uint64_t time_ns) {
  return write_at(space, address, time_ns).object;
}

std::vector<const model::Object*> PythonResolver::objects_in(model::SpaceId space,
                                                             std::uint64_t start, std::uint64_t end,
                                                             std::uint64_t time_ns) {
  check_interrupt();
  std::vector<const model::Object*> found = others_->objects_in(space, start, end, time_ns);
  if (hurried_) return found;
  Heap* heap = heap_at(space, time_ns);
  if (heap == nullptr) return found;
  const auto objects = objects_of(*heap, start, end);
  found.insert(found.end(), objects.begin(), objects.end());
  std::stable_sort(found.begin(), found.end(),
                   [](const auto* a, const auto* b) { return a->address < b->address; });
  return found;
}

std::vector<model::StackFrame> PythonResolver::frames_at(model::SpaceId space, std::uint64_t ip,
                                                         bool is_return_address,
                                                         std::uint64_t time_ns) {
  auto frames = others_->frames_at(space, ip, is_return_address, time_ns);
  const Heap* heap = heap_at(space, time_ns);
  if (heap == nullptr || ip < heap->runtime().module_start || ip >= heap->runtime().module_end)
    return frames;
  for (model::StackFrame& frame : frames) frame.interpreter = true;
  return frames;
}

const CodeInfo* PythonResolver::code_at(model::SpaceId space, std::uint64_t code, Heap& heap) {
  auto [found, is_new] = codes_.try_emplace({space, code});
  std::optional<CodeInfo>& known = found->second;
  const bool has_all = known && known->is_complete();
  if (!has_all && heap.types().type_of(code) != nullptr &&
      heap.types().type_of(code)->kind == Kind::Code) {
    // Reading an image changes nothing in it.
    auto& image = const_cast<image::MemoryImage&>(heap.image());
    known = more_complete(std::move(known), read_code(image, heap.runtime().layout, code, 0));
  }
  return known ? &*known : nullptr;
}

std::vector<model::StackFrame> PythonResolver::python_frames(model::SpaceId space,
                                                             const model::PythonFrame& frame,
                                                             std::uint64_t time_ns) {
  // Frames that the interpreter makes for itself, as entries from C (FRAME_OWNED_BY_CSTACK,
  // _INTERPRETER).
  constexpr std::uint8_t kFirstInternalOwner = 3;
  Heap* heap = heap_at(space, time_ns);
  if (heap == nullptr || frame.owner >= kFirstInternalOwner) return {};
  const CodeInfo* code = code_at(space, frame.code, *heap);
  if (code == nullptr) return {};
  const Version version = heap->runtime().layout.version;
  std::uint64_t offset = frame.instruction;
  if (version >= Version{3, 11})
    offset = frame.instruction - code->code_start;
  else if (version >= Version{3, 10})
    offset = frame.instruction * 2;
  model::StackFrame named;
  named.function = code->qualname.empty() ? code->name : code->qualname;
  named.file = code->file;
  named.line = offset <= UINT32_MAX
                   ? code->line(version, static_cast<std::uint32_t>(offset)).value_or(0)
                   : 0;
  named.python = true;
  return {named};
}

std::optional<std::uint32_t> PythonResolver::store_size_at(model::SpaceId space, std::uint64_t ip) {
  return others_->store_size_at(space, ip);
}

}  // namespace cowtrace::python
