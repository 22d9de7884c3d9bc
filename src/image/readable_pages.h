// SPDX-License-Identifier: Apache-2.0
// The pages of an image that somebody reads just now, each in a slot of this program's memory.
// Slots are used again without asking the system for memory, and only as many are taken as pages
// are readable at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/lazy_array.h"
#include "base/units.h"

namespace cowtrace::image {

class ReadablePages {
 public:
  ReadablePages() = default;
  // For pages 0 to `count` - 1. Throws std::bad_alloc where there is no address space for it.
  explicit ReadablePages(std::uint64_t count)
      : count_(count), slot_of_(count), memory_((count + 1) * kPageSize) {}

  // The bytes of `page`; nullptr if it is not readable.
  [[nodiscard]] const std::byte* find(std::uint64_t page) const {
    const std::uint32_t slot = slot_of_[page];
    return slot == 0 ? nullptr : memory_.data() + slot * kPageSize;
  }
  // A place for a page that is not readable; what it holds is undefined if it was used before, and
  // zeros if not. `stays`: clear() leaves it.
  [[nodiscard]] std::byte* make(std::uint64_t page, bool stays);
  // Brings what find() is about to look at near.
  void prefetch(std::uint64_t page, std::uint64_t offset) const {
    if (const std::byte* const bytes = find(page)) __builtin_prefetch(bytes + offset);
  }

  // No page is readable but those that stay. Memory of more than `keep` pages goes back to the
  // system.
  void clear(std::uint64_t keep);
  // Pages that clear() would take.
  [[nodiscard]] std::uint64_t count() const { return pages_.size(); }
  // Much will be read at once: memory is taken in large pieces until clear() has given it back.
  void expect_many();

 private:
  std::uint64_t count_ = 0;           // of all pages
  LazyArray<std::uint32_t> slot_of_;  // by page; 0: not readable
  LazyArray<std::byte> memory_;       // slots from 1 on; those that stay are taken from the end
  std::vector<std::uint32_t> pages_;  // of slot 1 and so on
  std::uint64_t touched_ = 0, staying_ = 0;  // slots that have memory, and that stay
};

}  // namespace cowtrace::image
