// SPDX-License-Identifier: Apache-2.0
// The rank of an entry in a table: how many entries in use precede it, which is its index in list()
// of the container. Each entry is read once, however many ranks of one table are asked for.
#pragma once

#include <bit>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace cowtrace::python {

class Ranks {
 public:
  // The rank of `entry` in the table that `table` identifies. `is_live(i)`: entry i is in use. It
  // must always say the same of one table. Entries far behind `entry` are not read: the length of a
  // table is a claim of the traced process.
  template <typename IsLive>
  [[nodiscard]] std::uint64_t before(std::uint64_t table, std::uint32_t entry, IsLive&& is_live) {
    if (entry < kBlock) return std::popcount(bits_of(0, entry, is_live));
    std::vector<Block>& blocks = tables_[table];
    while (blocks.size() <= entry / kBlock) {
      const Block last = blocks.empty() ? Block{} : blocks.back();
      const std::uint64_t bits = bits_of(blocks.size() * kBlock, kBlock, is_live);
      blocks.push_back({bits, last.before + static_cast<std::uint32_t>(std::popcount(last.live))});
    }
    const Block& block = blocks[entry / kBlock];
    const std::uint64_t earlier = (std::uint64_t{1} << entry % kBlock) - 1;
    return block.before + static_cast<std::uint64_t>(std::popcount(block.live & earlier));
  }

 private:
  static constexpr std::uint64_t kBlock = 64;  // entries
  struct Block {
    std::uint64_t live = 0;    // a bit for each entry
    std::uint32_t before = 0;  // entries in use in earlier blocks
  };

  template <typename IsLive>
  static std::uint64_t bits_of(std::uint64_t first, std::uint64_t count, IsLive& is_live) {
    std::uint64_t bits = 0;
    for (std::uint64_t i = 0; i < count; ++i)
      if (is_live(first + i)) bits |= std::uint64_t{1} << i;
    return bits;
  }

  std::unordered_map<std::uint64_t, std::vector<Block>> tables_;
};

}  // namespace cowtrace::python
