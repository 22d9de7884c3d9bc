// SPDX-License-Identifier: Apache-2.0
// All objects that can be reached in an image, each with the reference by which it was reached
// first: breadth first from sys.modules, so that names are short. Precise references come to their
// end before any word of C memory is taken for one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "python/references.h"
#include "python/runtime.h"

namespace cowtrace::python {

class HeapIndex {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  struct Node {
    std::uint64_t address = 0;
    std::uint32_t parent = kNone;  // index of a node
    std::uint32_t slot = 0;
    std::uint32_t type = 0;  // its number
    Edge edge = Edge::SysModules;
  };
  struct OwnedTable {
    std::uint64_t start = 0, end = 0;
    std::uint32_t owner = 0;  // index of a node
    Table kind = Table::Keys;
  };

  HeapIndex(const TypeTable& types, const Runtime& runtime);

  // In the order in which they were reached.
  [[nodiscard]] const std::vector<Node>& nodes() const { return nodes_; }
  [[nodiscard]] const Type& type(const Node& node) const { return *node_types_[node.type]; }
  // The last node at or before `address`, and the first behind it; kNone if there is none.
  [[nodiscard]] std::uint32_t at_or_before(std::uint64_t address) const;
  [[nodiscard]] std::uint32_t after(std::uint64_t address) const;
  // The node at exactly this address.
  [[nodiscard]] std::uint32_t find(std::uint64_t address) const;
  // The table that holds `address`; nullptr if there is none.
  [[nodiscard]] const OwnedTable* table_at(std::uint64_t address) const;
  // Those that begin in [start, end).
  template <typename Callback>
  void for_each_in(std::uint64_t start, std::uint64_t end, Callback&& callback) const {
    for (auto i = first_from(start); i < by_address_.size() && nodes_[by_address_[i]].address < end;
         ++i)
      callback(by_address_[i]);
  }

  [[nodiscard]] std::size_t bytes_used() const;
  // The image contradicts itself: more references than it has words. What was found until then
  // stays.
  [[nodiscard]] bool gave_up() const { return budget_ == 0; }

 private:
  friend class HeapVisitor;
  void walk(const TypeTable& types, const Runtime& runtime);
  [[nodiscard]] std::size_t first_from(std::uint64_t address) const;

  std::vector<Node> nodes_;
  std::vector<const Type*> node_types_;  // by number; nullptr where no node has it
  std::vector<OwnedTable> tables_;       // ascending by start
  std::vector<std::uint32_t> by_address_;
  std::uint64_t budget_ = 0;
};

}  // namespace cowtrace::python
