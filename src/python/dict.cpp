// SPDX-License-Identifier: Apache-2.0
#include "python/dict.h"

#include <algorithm>

#include "python/repr.h"

namespace cowtrace::python {
namespace {

constexpr std::uint64_t kMostEntriesOfADict = std::uint64_t{1} << 32;
constexpr std::uint8_t kMostLog2Entries = 32;
constexpr std::uint64_t kMostLookedAt = 100'000;  // of the dict of sys, when one key is wanted

}  // namespace

std::optional<KeyTable> read_key_table(const image::MemoryImage& image, const Layout& layout,
                                       std::uint64_t address) {
  const auto& at = layout.dict_keys;
  KeyTable table;
  if (address == 0 || address % 8 != 0 ||
      !image.has(address, static_cast<std::uint64_t>(at.indices)))
    return std::nullopt;
  table.address = address;
  std::uint64_t slots = 0, index_bytes = 0;
  table.entry_size = static_cast<std::uint32_t>(at.general_entry_size);
  if (at.log2_size != kAbsent) {
    const auto log2_size = image.load<std::uint8_t>(address + at.log2_size);
    const auto log2_index_bytes = image.load<std::uint8_t>(address + at.log2_index_bytes);
    // An index has one to eight bytes.
    if (log2_size > kMostLog2Entries || log2_index_bytes < log2_size ||
        log2_index_bytes > log2_size + 3)
      return std::nullopt;
    slots = std::uint64_t{1} << log2_size;
    index_bytes = std::uint64_t{1} << log2_index_bytes;
    // DICT_KEYS_GENERAL is 0; where all keys are str there are no hashes.
    if (image.load<std::uint8_t>(address + at.kind) != 0) {
      table.entry_size = static_cast<std::uint32_t>(at.unicode_entry_size);
      table.key_at = 0;
    }
  } else {
    slots = image.word(address + at.table_size);
    if (slots == 0 || slots > kMostEntriesOfADict || (slots & (slots - 1)) != 0)
      return std::nullopt;
    index_bytes = slots * (slots <= 0xff ? 1 : slots <= 0xffff ? 2 : slots <= 0xffffffff ? 4 : 8);
  }
  table.entries = address + static_cast<std::uint64_t>(at.indices) + index_bytes;
  // USABLE_FRACTION: two thirds.
  const std::uint64_t usable = (slots << 1) / 3;
  table.end = table.entries + usable * table.entry_size;
  const image::MemoryImage::Region* region = image.region_at(address);
  if (region == nullptr || table.end > region->end || table.end < address) {
    // The empty table of the interpreter itself has none.
    if (usable != 0 || region == nullptr) return std::nullopt;
  }
  table.used = at.nentries != kAbsent ? image.word(address + at.nentries) : usable;
  if (table.used > usable) table.used = usable;
  // shared_keys_usable_size(): what is in use, and what is still to be given.
  const bool shrinks = layout.version >= Version{3, 11} && at.usable != kAbsent;
  table.room =
      shrinks ? std::min(usable, table.used + std::min(usable, image.word(address + at.usable)))
              : usable;
  return table;
}

std::optional<Dict> read_dict(const image::MemoryImage& image, const Layout& layout,
                              std::uint64_t dict) {
  Dict read;
  const auto keys = read_key_table(image, layout, image.word(dict + layout.dict.keys));
  if (!keys) return std::nullopt;
  read.keys = *keys;
  const std::uint64_t values = image.word(dict + layout.dict.values);
  if (values == 0) return read;
  const image::MemoryImage::Region* region = image.region_at(values);
  if (region == nullptr || values % 8 != 0) return std::nullopt;
  const std::uint64_t header = layout.dict_values.values != kAbsent
                                   ? static_cast<std::uint64_t>(layout.dict_values.values)
                                   : 0;
  read.values = values + header;
  read.values_start = values;
  const std::uint64_t capacity =
      layout.dict_values.capacity != kAbsent
          ? image.load<std::uint8_t>(values + layout.dict_values.capacity)
          : keys->room;
  read.values_end = read.values + capacity * 8;
  if (read.values_end > region->end) return std::nullopt;
  if (read.keys.used > capacity) read.keys.used = capacity;
  return read;
}

std::optional<std::uint64_t> find_text_key(const TypeTable& types, std::uint64_t dict,
                                           std::string_view key) {
  const auto read = read_dict(types.image(), types.layout(), dict);
  if (!read) return std::nullopt;
  for (std::uint64_t i = 0; i < read->keys.used && i < kMostLookedAt; ++i) {
    const Entry entry = read_entry(types.image(), *read, i);
    if (entry.key == 0 || entry.value == 0) continue;
    const auto text = text_at(types, entry.key, key.size() + 1);
    if (text && *text == key) return entry.value;
  }
  return std::nullopt;
}

}  // namespace cowtrace::python
