// SPDX-License-Identifier: Apache-2.0
#include "python/pools.h"

#include <algorithm>
#include <string_view>

#include "base/units.h"

namespace cowtrace::python {
namespace {

constexpr std::uint64_t kAlignment = 16;
constexpr std::uint32_t kSizeClasses = 32;
constexpr std::size_t kProbed = 16;  // pools that must all agree on the array of arenas
constexpr std::uint64_t kMostArenas = 1 << 22;

}  // namespace

Pools::Pools(const image::MemoryImage& image, const Runtime& runtime, std::uint64_t likely)
    : image_(image),
      layout_(runtime.layout),
      pool_size_(static_cast<std::uint64_t>(runtime.layout.pool.size)),
      arena_size_(static_cast<std::uint64_t>(runtime.layout.arena.arena_size)) {
  if (pool_size_ != 0 && arena_size_ != 0) find_arenas(runtime, likely);
}

std::optional<Pool> Pools::read_pool(std::uint64_t address) const {
  const auto& at = layout_.pool;
  if (!image_.has(address, pool_size_)) return std::nullopt;
  const auto size_class = image_.load<std::uint32_t>(address + at.size_class);
  if (size_class >= kSizeClasses) return std::nullopt;
  Pool pool;
  pool.address = address;
  pool.block_size = static_cast<std::uint32_t>((size_class + 1) * kAlignment);
  pool.next_offset = image_.load<std::uint32_t>(address + at.next_offset);
  pool.used = image_.load<std::uint32_t>(address + at.ref);
  pool.free_block = image_.word(address + at.freeblock);
  const auto header = static_cast<std::uint32_t>(at.header_size);
  const auto last = image_.load<std::uint32_t>(address + at.max_next_offset);
  const std::uint32_t capacity =
      (static_cast<std::uint32_t>(pool_size_) - header) / pool.block_size;
  if (last != pool_size_ - pool.block_size || pool.next_offset < header ||
      pool.next_offset > pool_size_)
    return std::nullopt;
  if ((pool.next_offset - header) % pool.block_size != 0 || pool.used == 0 || pool.used > capacity)
    return std::nullopt;
  if (pool.free_block != 0 && (pool.free_block - address >= pool_size_ ||
                               (pool.free_block - address - header) % pool.block_size != 0))
    return std::nullopt;
  return pool;
}

std::vector<std::uint64_t> Pools::some_pools() const {
  std::vector<std::uint64_t> found;
  for (const image::MemoryImage::Region& region : image_.regions()) {
    if (!region.writable || region.module != nullptr) continue;
    const std::uint64_t first = (region.start + pool_size_ - 1) / pool_size_ * pool_size_;
    for (std::uint64_t at = first; at + pool_size_ <= region.end && found.size() < kProbed;
         at += pool_size_)
      if (read_pool(at)) found.push_back(at);
  }
  return found;
}

bool Pools::owns_pools(std::uint64_t array, const std::vector<std::uint64_t>& pools) const {
  const auto size = static_cast<std::uint64_t>(layout_.arena.size);
  for (const std::uint64_t pool : pools) {
    const auto index = image_.load<std::uint32_t>(pool + layout_.pool.arena_index);
    if (index > kMostArenas || !image_.has(array + index * size, size)) return false;
    const std::uint64_t arena = image_.word(array + index * size + layout_.arena.address);
    if (pool - arena >= arena_size_) return false;
  }
  return true;
}

// Where the interpreter's state says; else by what the pools say: a word of its data that leads to
// arenas which hold them all.
void Pools::find_arenas(const Runtime& runtime, std::uint64_t likely) {
  const std::vector<std::uint64_t> pools = some_pools();
  if (pools.empty()) return;
  if (layout_.interpreter.obmalloc != kAbsent) {
    std::uint64_t state = runtime.interpreter + layout_.interpreter.obmalloc;
    if (layout_.interpreter.obmalloc_is_pointer) state = image_.word(state);
    const std::uint64_t array = image_.word(state + layout_.arena.in_obmalloc);
    if (array != 0 && owns_pools(array, pools)) {
      load(array);
      return;
    }
  }
  const auto scan = [&](std::uint64_t start, std::uint64_t end) {
    for (std::uint64_t at = start; at + 8 <= end; at += 8) {
      if (at == start || at % kPageSize == 0) at = image_.skip_holes(at, end);
      if (at >= end) break;
      const std::uint64_t array = image_.word(at);
      if (array % 8 != 0 || array == 0 || !image_.has(array, 8) || !owns_pools(array, pools))
        continue;
      load(array);
      found_at_ = at;
      return true;
    }
    return false;
  };
  if (likely != 0 && scan(likely, likely + 8)) return;
  // .bss is the anonymous mapping that follows the data of the file.
  std::uint64_t data_end = 0;
  for (const image::MemoryImage::Region& region : image_.regions()) {
    const bool data = region.path == runtime.module;
    const bool bss = region.path.empty() && region.start == data_end;
    if (data) data_end = region.end;
    if ((data || bss) && region.writable && scan(region.start, region.end)) return;
  }
  if (layout_.interpreter.size != kAbsent)
    scan(runtime.interpreter, runtime.interpreter + layout_.interpreter.size);
}

void Pools::load(std::uint64_t array) {
  const auto size = static_cast<std::uint64_t>(layout_.arena.size);
  // The array is an allocation of the C library, or a mapping of its own.
  const std::uint64_t chunk = image_.word(array - 8) & ~std::uint64_t{7};
  const std::uint64_t most = chunk > 8 && chunk - 8 <= kMostArenas * size ? (chunk - 8) / size : 0;
  for (std::uint64_t i = 0; i < most; ++i) {
    if (!image_.has(array + i * size, size)) break;
    const std::uint64_t arena = image_.word(array + i * size + layout_.arena.address);
    if (arena != 0 && arena % 4096 == 0 && image_.region_at(arena) != nullptr)
      arenas_.push_back(arena);
  }
  std::sort(arenas_.begin(), arenas_.end());
}

bool Pools::in_arena(std::uint64_t address) const {
  const auto after = std::upper_bound(arenas_.begin(), arenas_.end(), address);
  return after != arenas_.begin() && address - *std::prev(after) < arena_size_;
}

std::optional<Pool> Pools::pool_at(std::uint64_t address) const {
  const auto after = std::upper_bound(arenas_.begin(), arenas_.end(), address);
  if (after == arenas_.begin()) return std::nullopt;
  const std::uint64_t arena = *std::prev(after);
  const std::uint64_t pool = address & ~(pool_size_ - 1);
  if (address - arena >= arena_size_ || pool < arena || pool + pool_size_ > arena + arena_size_)
    return std::nullopt;
  return read_pool(pool);
}

std::optional<Block> Pools::block_at(const Pool& pool, std::uint64_t address) const {
  const auto header = static_cast<std::uint64_t>(layout_.pool.header_size);
  const std::uint64_t offset = address - pool.address;
  if (offset < header) return std::nullopt;
  const std::uint64_t index = (offset - header) / pool.block_size;
  Block block{pool.address + header + index * pool.block_size, pool.block_size, false};
  if (block.address + block.size > pool.address + pool_size_) return std::nullopt;
  if (block.address - pool.address >= pool.next_offset) {
    block.free = true;
    return block;
  }
  const std::uint64_t capacity = (pool_size_ - header) / pool.block_size;
  std::uint64_t free = pool.free_block;
  for (std::uint64_t step = 0; free != 0 && step <= capacity; ++step) {
    if (free == block.address) {
      block.free = true;
      break;
    }
    if (free - pool.address >= pool_size_) break;
    free = image_.word(free);
  }
  return block;
}

}  // namespace cowtrace::python
