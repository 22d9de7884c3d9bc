// SPDX-License-Identifier: Apache-2.0
// What a dict holds, read from outside: its table of keys, and the values that are in it or beside
// it (Objects/dictobject.c, Include/internal/pycore_dict.h; before 3.11 Objects/dict-common.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "python/types.h"

namespace cowtrace::python {

// PyDictKeysObject: a header, 2^log2_size indices of 1, 2, 4 or 8 bytes, then the entries in the
// order of insertion.
struct KeyTable {
  std::uint64_t address = 0;
  std::uint64_t entries = 0;      // address of the first entry
  std::uint64_t end = 0;          // of the whole table
  std::uint32_t entry_size = 24;  // {hash, key, value}, or {key, value}
  std::uint32_t key_at = 8;       // in an entry; the value follows
  std::uint64_t used = 0;         // entries that are or were in use
  // Where dicts share the table, values that each of them may come to have. From 3.11 on fewer than
  // the table has entries, and fewer with each instance of the class: the array of an earlier one
  // is longer, but its end is never written.
  std::uint64_t room = 0;

  [[nodiscard]] std::uint64_t entry(std::uint64_t index) const {
    return entries + index * entry_size;
  }
};

struct Dict {
  KeyTable keys;
  // Split: the values are in an array of their own, in the same order as the keys, which other
  // dicts share. 0: in the table.
  std::uint64_t values = 0;                        // address of the first value
  std::uint64_t values_start = 0, values_end = 0;  // all of the array, with what precedes it
};

// None if it is not sane.
[[nodiscard]] std::optional<KeyTable> read_key_table(const image::MemoryImage& image,
                                                     const Layout& layout, std::uint64_t address);
[[nodiscard]] std::optional<Dict> read_dict(const image::MemoryImage& image, const Layout& layout,
                                            std::uint64_t dict);

// The value of a str key, by going through all entries; none if there is no such key.
[[nodiscard]] std::optional<std::uint64_t> find_text_key(const TypeTable& types, std::uint64_t dict,
                                                         std::string_view key);

// Key and value of entry `index`; 0 where it is empty.
struct Entry {
  std::uint64_t key = 0, value = 0;
};
// Where they are.
inline std::uint64_t key_place(const Dict& dict, std::uint64_t index) {
  return dict.keys.entry(index) + dict.keys.key_at;
}
inline std::uint64_t value_place(const Dict& dict, std::uint64_t index) {
  return dict.values != 0 ? dict.values + index * 8 : key_place(dict, index) + 8;
}
inline Entry read_entry(const image::MemoryImage& image, const Dict& dict, std::uint64_t index) {
  return {image.word(key_place(dict, index)), image.word(value_place(dict, index))};
}

}  // namespace cowtrace::python
