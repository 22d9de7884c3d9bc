// SPDX-License-Identifier: Apache-2.0
// Dotted names, as a Python programmer writes them: `myapp.config.RULES[12]['re']`,
// `json.decoder.JSONDecoder.decode`, `worker.<locals>.cache`. A name that is marked as evaluable
// gives the same object when Python evaluates it in the same process.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "python/dict.h"
#include "python/heap_index.h"
#include "python/ranks.h"

namespace cowtrace::python {

struct Name {
  std::string text;
  bool evaluable = true;
  bool known = true;        // false: no reference with a name leads there
  std::uint64_t items = 0;  // of the innermost container that `[...]` stands for; 0: there is none
};

class Names {
 public:
  Names(const TypeTable& types, const HeapIndex& index, const Runtime& runtime);

  [[nodiscard]] Name of(std::uint32_t node);
  // The same with the items of large containers taken together: `myapp.DATA[...]`.
  [[nodiscard]] Name group_of(std::uint32_t node);
  // "attribute 'x'" and the like: what an entry of a table stands for.
  [[nodiscard]] std::string key_of(std::uint64_t dict, std::uint64_t entry) const;

 private:
  [[nodiscard]] Name path(std::uint32_t node, bool grouped, int depth);
  [[nodiscard]] Name step(std::uint32_t node, bool grouped, int depth);
  [[nodiscard]] Name dict_value(const HeapIndex::Node& node, bool grouped, int depth);
  [[nodiscard]] Name local_of_code(const HeapIndex::Node& node, bool grouped, int depth);
  [[nodiscard]] std::optional<std::string> interned(const HeapIndex::Node& node) const;
  [[nodiscard]] Name attribute(Name of, std::string_view key) const;
  [[nodiscard]] Name name_of_module(std::uint32_t module, bool grouped, int depth);
  // `module.qualname`, if that leads to the object.
  [[nodiscard]] const std::optional<std::string>& qualified(std::uint32_t node);
  [[nodiscard]] std::optional<std::string> find_qualified(std::uint64_t object, const Type& type);
  [[nodiscard]] const std::optional<std::string>& repr_of_key(std::uint64_t key);
  [[nodiscard]] const std::optional<std::string>& text_of_key(std::uint64_t key);
  // Valid until the next one is asked for.
  [[nodiscard]] const std::optional<Dict>& dict_at(std::uint64_t address);
  [[nodiscard]] const std::optional<KeyTable>& key_table_at(std::uint64_t address);
  [[nodiscard]] std::uint64_t look_up(std::uint64_t dict, const std::string& key);
  [[nodiscard]] std::uint64_t dict_of(std::uint64_t object) const;
  [[nodiscard]] bool is_reached_by(const std::string& module, std::uint64_t object);
  [[nodiscard]] std::uint64_t subclass_rank(std::uint64_t type, std::uint32_t entry);
  [[nodiscard]] std::string function_of_code(std::uint32_t node, bool grouped, int depth);
  [[nodiscard]] std::string local_name(std::uint64_t code, std::uint32_t slot) const;
  // 0 of what is no container.
  [[nodiscard]] std::uint64_t items_of(std::uint32_t container);
  [[nodiscard]] std::uint64_t rank(std::uint64_t dict, std::uint32_t entry);
  [[nodiscard]] std::uint64_t set_rank(std::uint64_t set, std::uint32_t slot);

  // What many names begin with, for what is asked for together is often in one container.
  struct Prefix {
    std::uint32_t node = HeapIndex::kNone;
    int depth = 0;
    bool grouped = false;
    Name name;
  };

  const TypeTable& types_;
  const image::MemoryImage& image_;
  const HeapIndex& index_;
  const Runtime& runtime_;
  std::unordered_map<std::uint64_t, std::unordered_map<std::string, std::uint64_t>>
      dicts_;  // of modules and types, by text
  std::unordered_map<std::uint32_t, std::optional<std::string>> qualified_;
  std::array<Prefix, 256> prefixes_;
  using KeyTexts = std::array<std::pair<std::uint64_t, std::optional<std::string>>,
                              256>;  // by the address of the key
  KeyTexts key_reprs_, key_texts_;
  // Items of one container follow each other, and instances of one class share a table: the last
  // one is the next one.
  std::pair<std::uint64_t, std::optional<Dict>> last_dict_;
  std::pair<std::uint64_t, std::optional<KeyTable>> last_key_table_;
  std::pair<std::uint32_t, std::uint64_t> last_items_ = {HeapIndex::kNone, 0};  // of a node
  Ranks dict_ranks_, set_ranks_, subclass_ranks_;                               // by object
  Ranks variable_ranks_, cell_ranks_, free_ranks_;  // by the address of co_localspluskinds
  std::unordered_map<std::string, std::uint64_t>
      reached_;  // what the attributes of a dotted name lead to
};

}  // namespace cowtrace::python
