// SPDX-License-Identifier: Apache-2.0
#include "python/heap.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "python/fields.h"
#include "python/kept.h"
#include "python/repr.h"

namespace cowtrace::python {
namespace {

using model::Cause;

constexpr std::uint64_t kReadable =
    2 << 20;  // bytes of an image that stay readable between two questions

}  // namespace

Heap::Heap(std::shared_ptr<const image::MemoryImage> image, Runtime runtime,
           std::shared_ptr<Heap> before)
    : image_(std::move(image)),
      runtime_(std::move(runtime)),
      types_(*image_, runtime_.layout, runtime_.type_type),
      before_(std::move(before)) {}

Heap::Walked& Heap::walked() {
  if (before_ != nullptr) return before_->walked();
  if (walked_ == nullptr) walked_ = std::make_unique<Walked>(types_, runtime_);
  return *walked_;
}

const Pools& Heap::pools() {
  if (pools_ == nullptr)
    pools_ = std::make_unique<Pools>(*image_, runtime_,
                                     before_ != nullptr ? before_->pools().found_at() : 0);
  return *pools_;
}

const Type* Heap::type_now(std::uint32_t node) {
  const HeapIndex& index = walked().index;
  const Type& then = index.type(index.nodes()[node]);
  if (before_ == nullptr) return &then;
  const Type* now = types_.type_of(index.nodes()[node].address);
  return now != nullptr && now->address == then.address ? now : nullptr;
}

Place Heap::describe(std::uint32_t node, const Type& type) {
  Place place;
  place.object = walked().index.nodes()[node].address;
  place.size = types_.size_of(place.object, type);
  place.type = type.name;
  place.kept = is_kept(types_, runtime_, place.object, type);
  Name name = walked().names.of(node);
  place.evaluable = name.known && name.evaluable;
  place.name = name.known ? std::move(name.text) : fmt::format("<{}>", type.name);
  if (Name group = walked().names.group_of(node); group.known && group.text != place.name) {
    place.group = std::move(group.text);
    place.group_items = group.items;
  }
  return place;
}

// What was made readable for earlier questions. Names are read from the image in which the objects
// were found.
void Heap::forget() {
  image_->forget(kReadable);
  if (before_ != nullptr) before_->image_->forget(kReadable);
}

std::optional<Place> Heap::at(std::uint64_t address) {
  forget();
  const HeapIndex& index = walked().index;
  if (const std::uint32_t node = index.at_or_before(address); node != HeapIndex::kNone)
    if (auto place = in_node(node, address)) return place;
  if (const std::uint32_t node = index.after(address); node != HeapIndex::kNone)
    if (auto place = in_node(node, address)) return place;
  if (const HeapIndex::OwnedTable* table = index.table_at(address);
      table != nullptr && in_one_block(table->start, address))
    if (auto place = in_table(*table, address)) return place;
  return in_pool(address);
}

// How long a table is, its owner says, which need not be true; but nothing is longer than its
// block.
bool Heap::in_one_block(std::uint64_t start, std::uint64_t address) {
  const auto pool = pools().pool_at(address);
  if (!pool) return true;
  const auto first = pools().pool_at(start);
  if (!first || first->address != pool->address) return false;
  const auto block = pools().block_at(*pool, start);
  return block && address >= block->address && address < block->address + block->size;
}

std::optional<Place> Heap::in_node(std::uint32_t node, std::uint64_t address) {
  const std::uint64_t object = walked().index.nodes()[node].address;
  const Type* type = type_now(node);
  if (type == nullptr || address < object - type->before ||
      address >= object + types_.size_of(object, *type))
    return std::nullopt;
  Place place = describe(node, *type);
  set_field(place, *type, address);
  return place;
}

std::optional<Place> Heap::in_table(const HeapIndex::OwnedTable& table, std::uint64_t address) {
  const Type* type = type_now(table.owner);
  if (type == nullptr) return std::nullopt;
  Place place = describe(table.owner, *type);
  set_table_field(place, *type, table, address);
  return place;
}

// A block that no reference led to: by what it looks like.
std::optional<Place> Heap::in_pool(std::uint64_t address) {
  const Pools& pools_now = pools();
  const auto pool = pools_now.pool_at(address);
  if (!pool) {
    if (!pools_now.in_arena(address)) return std::nullopt;
    return Place{address & ~(pools_now.pool_size() - 1),
                 pools_now.pool_size(),
                 "<unused pool>",
                 "pymalloc pool",
                 {},
                 "unused",
                 Cause::Allocator,
                 false};
  }
  const auto block = pools_now.block_at(*pool, address);
  if (block && !block->free) return in_block(*block, address);
  Place place;
  place.object = pool->address;
  place.size = pools_now.pool_size();
  place.name = fmt::format("<pool of {}-byte blocks>", pool->block_size);
  place.type = "pymalloc pool";
  place.field = block ? "free block" : "pool header";
  place.cause = Cause::Allocator;
  return place;
}

std::optional<Place> Heap::in_block(const Block& block, std::uint64_t address) {
  // The whole block is its object's, also what C code keeps behind it (the frame of a generator,
  // values of attributes).
  const HeapIndex& index = walked().index;
  if (const std::uint32_t node = index.at_or_before(block.address + 32); node != HeapIndex::kNone) {
    const std::uint64_t object = index.nodes()[node].address;
    const Type* type = object >= block.address ? type_now(node) : nullptr;
    if (type != nullptr && object - type->before == block.address) {
      Place place = describe(node, *type);
      set_field(place, *type, address);
      return place;
    }
  }
  for (const std::uint64_t before : {0, 16, 32}) {
    const Type* type = types_.type_of(block.address + before);
    if (type == nullptr || type->before != before) continue;
    const std::uint64_t size = types_.size_of(block.address + before, *type);
    if (before + size > block.size) continue;
    Place place{block.address + before,
                size,
                fmt::format("<{}>", type->name),
                type->name,
                {},
                {},
                Cause::Value,
                false,
                is_kept(types_, runtime_, block.address + before, *type)};
    set_field(place, *type, address);
    return place;
  }
  return Place{block.address, block.size, fmt::format("<block of {} bytes>", block.size),
               "memory",      {},         "data",
               Cause::Native, false};
}

void Heap::set_field(Place& place, const Type& type, std::uint64_t address) {
  const FieldOfWrite field = field_of(types_, place.object, type, address);
  place.field = field.name;
  place.cause = field.cause;
}

void Heap::set_table_field(Place& place, const Type& type, const HeapIndex::OwnedTable& table,
                           std::uint64_t address) {
  const FieldOfWrite field =
      field_of_table(types_, place.object, type, table.kind, table.start, address);
  place.field = field.name;
  place.cause = field.cause;
}

std::vector<Place> Heap::in(std::uint64_t start, std::uint64_t end) {
  std::vector<Place> found;
  std::unordered_set<std::string> groups;
  forget();
  Walked& heap = walked();
  const auto add = [&](std::uint32_t node) {
    const Type* type = type_now(node);
    if (type == nullptr) return;
    Name group = heap.names.group_of(node);
    if (!group.known) group.text = fmt::format("<{}>", type->name);
    if (!group.known || group.text.find("[...]") != std::string::npos) {
      if (groups.insert(group.text).second)
        found.push_back({0, 0, std::move(group.text), type->name, {}, {}, Cause::Unknown, false});
      return;
    }
    found.push_back(describe(node, *type));
  };
  if (const std::uint32_t node = heap.index.at_or_before(start - 1);
      node != HeapIndex::kNone && start != 0) {
    const std::uint64_t object = heap.index.nodes()[node].address;
    const Type* type = type_now(node);
    if (type != nullptr && object + types_.size_of(object, *type) > start) add(node);
  }
  const HeapIndex::OwnedTable* table = heap.index.table_at(start);
  if (table != nullptr) add(table->owner);
  heap.index.for_each_in(start, end, add);
  return found;
}

}  // namespace cowtrace::python
