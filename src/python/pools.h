// SPDX-License-Identifier: Apache-2.0
// pymalloc from outside: which block of which pool an address lies in (Objects/obmalloc.c).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "image/memory_image.h"
#include "python/layout.h"
#include "python/runtime.h"

namespace cowtrace::python {

struct Pool {
  std::uint64_t address = 0;
  std::uint32_t block_size = 0;
  std::uint32_t next_offset = 0;  // blocks from here on were never used
  std::uint64_t free_block = 0;   // the first of the list
  std::uint32_t used = 0;         // blocks
};

struct Block {
  std::uint64_t address = 0;
  std::uint32_t size = 0;
  bool free = false;
};

class Pools {
 public:
  // Without arenas (another allocator, or they were not found) every answer is none. `likely`:
  // where another image of the same family leads to them, or 0; there it is looked before all of
  // the interpreter's data is.
  Pools(const image::MemoryImage& image, const Runtime& runtime, std::uint64_t likely = 0);

  // The sane pool that holds `address`, its header included; none if no arena has it or the pool is
  // unused.
  [[nodiscard]] std::optional<Pool> pool_at(std::uint64_t address) const;
  // In a pool's header or its tail: none.
  [[nodiscard]] std::optional<Block> block_at(const Pool& pool, std::uint64_t address) const;
  [[nodiscard]] bool in_arena(std::uint64_t address) const;

  [[nodiscard]] std::size_t arenas() const { return arenas_.size(); }
  [[nodiscard]] std::uint64_t pool_size() const { return pool_size_; }
  // The word of the interpreter's data that leads to the arenas; 0 if it was not looked for, or not
  // found.
  [[nodiscard]] std::uint64_t found_at() const { return found_at_; }

 private:
  [[nodiscard]] std::optional<Pool> read_pool(std::uint64_t address) const;
  void find_arenas(const Runtime& runtime, std::uint64_t likely);
  [[nodiscard]] bool owns_pools(std::uint64_t array, const std::vector<std::uint64_t>& pools) const;
  [[nodiscard]] std::vector<std::uint64_t> some_pools() const;
  void load(std::uint64_t array);

  const image::MemoryImage& image_;
  const Layout& layout_;
  std::uint64_t pool_size_ = 0, arena_size_ = 0, found_at_ = 0;
  std::vector<std::uint64_t> arenas_;  // ascending
};

}  // namespace cowtrace::python
