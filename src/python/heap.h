// SPDX-License-Identifier: Apache-2.0
// The answer to "what is at this address?" in one image of one CPython: object, field, and what
// kind of write it is. The object graph is walked at the first question.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/mechanism.h"
#include "python/heap_index.h"
#include "python/names.h"
#include "python/pools.h"
#include "python/runtime.h"

namespace cowtrace::python {

// What an address is part of.
struct Place {
  std::uint64_t object = 0;  // where the object begins, without what precedes it
  std::uint64_t size = 0;    // of the object itself
  std::string name;          // dotted; "<dict>" where no name leads there
  std::string type;
  std::string group;  // the same with the items of large containers taken together; empty where
                      // that is the name
  std::string field;  // "refcount", "keys entry 'n'", ...; empty when only the object was asked for
  model::Cause cause = model::Cause::Unknown;
  bool evaluable = false;         // `name` gives this object when Python evaluates it
  bool kept = false;              // is_kept()
  std::uint64_t group_items = 0;  // of the container in `group`; 0: not known
};

class Heap {
 public:
  // `before`: the heap of an image that this one differs little from, if there is one. Its names
  // are used where the same object is still at the same address.
  Heap(std::shared_ptr<const image::MemoryImage> image, Runtime runtime,
       std::shared_ptr<Heap> before = nullptr);
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  // None where no memory of Python's is known to be.
  [[nodiscard]] std::optional<Place> at(std::uint64_t address);
  // The objects that overlap [start, end), ascending; items of a large container as one (size 0),
  // `name` then ends with "[...]". So are objects of one type without a name: "<tuple>".
  [[nodiscard]] std::vector<Place> in(std::uint64_t start, std::uint64_t end);

  [[nodiscard]] const image::MemoryImage& image() const { return *image_; }
  [[nodiscard]] const std::shared_ptr<const image::MemoryImage>& shared_image() const {
    return image_;
  }
  [[nodiscard]] const Runtime& runtime() const { return runtime_; }
  [[nodiscard]] const TypeTable& types() const { return types_; }
  // Of the object graph; of the heap that names are taken from.
  [[nodiscard]] const HeapIndex& index() { return walked().index; }
  [[nodiscard]] Names& names() { return walked().names; }
  [[nodiscard]] const Pools& pools();
  // Whose names are used: itself, or `before`.
  [[nodiscard]] const std::shared_ptr<Heap>& before() const { return before_; }

 private:
  struct Walked {
    Walked(const TypeTable& types, const Runtime& runtime)
        : index(types, runtime), names(types, index, runtime) {}
    HeapIndex index;
    Names names;
  };
  Walked& walked();
  // False if `address`, which is behind `start`, is in another block of the allocator.
  [[nodiscard]] bool in_one_block(std::uint64_t start, std::uint64_t address);
  void forget();
  [[nodiscard]] std::optional<Place> in_node(std::uint32_t node, std::uint64_t address);
  [[nodiscard]] std::optional<Place> in_table(const HeapIndex::OwnedTable& table,
                                              std::uint64_t address);
  [[nodiscard]] std::optional<Place> in_pool(std::uint64_t address);
  [[nodiscard]] std::optional<Place> in_block(const Block& block, std::uint64_t address);
  // The same object as when the graph was walked; nullptr if it is another one now.
  [[nodiscard]] const Type* type_now(std::uint32_t node);
  [[nodiscard]] Place describe(std::uint32_t node, const Type& type);
  void set_field(Place& place, const Type& type, std::uint64_t address);
  void set_table_field(Place& place, const Type& type, const HeapIndex::OwnedTable& table,
                       std::uint64_t address);

  std::shared_ptr<const image::MemoryImage> image_;
  Runtime runtime_;
  TypeTable types_;
  std::shared_ptr<Heap> before_;
  std::unique_ptr<Walked> walked_;
  std::unique_ptr<Pools> pools_;
};

}  // namespace cowtrace::python
