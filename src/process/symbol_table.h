// SPDX-License-Identifier: Apache-2.0
// The functions and data objects of one ELF file, by address (before the load bias). Knows nothing
// of processes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "process/elf_file.h"
#include "process/interval_index.h"

namespace cowtrace::process {

enum class SymbolKind : std::uint8_t { Function, Object };

struct Symbol {
  std::string name;  // demangled, untrusted
  std::uint64_t address = 0;
  std::uint64_t size = 0;  // as the file says, or up to the next function where `size_guessed`
  SymbolKind kind = SymbolKind::Function;
  bool size_guessed = false;  // the file gives no size (hand-written assembly)
};

class SymbolTable {
 public:
  SymbolTable() = default;
  // Of all files that describe one module (itself and its debug file); they are kept, for names
  // stay where they are.
  explicit SymbolTable(std::vector<std::shared_ptr<const ElfFile>> files);

  // The innermost symbol of that kind that covers `address`. One without a size covers its first
  // byte only, unless it is a function: then all up to the next one in its section.
  [[nodiscard]] std::optional<Symbol> find(SymbolKind kind, std::uint64_t address) const;

  // Data objects that overlap [start, end), ascending, at most `limit`.
  [[nodiscard]] std::vector<Symbol> objects_in(std::uint64_t start, std::uint64_t end,
                                               std::size_t limit) const;

  [[nodiscard]] std::size_t size() const {
    return functions_.entries.size() + objects_.entries.size();
  }
  // Why symbols may be missing ("stripped", "its symbol table is malformed"); empty if nothing is
  // known to be.
  [[nodiscard]] const std::string& defect() const { return defect_; }

 private:
  struct Entry {
    std::uint64_t address = 0;
    std::uint64_t size = 0;
    std::string_view name;
    std::uint64_t section_end = 0;
    std::uint8_t binding = 0;
    bool size_guessed = false;
  };
  struct Kind {
    std::vector<Entry> entries;
    IntervalIndex index;
  };

  void load(const ElfFile& elf);
  void add(const ElfFile& elf, const RawSymbol& raw);
  static bool is_better(const Entry& a, const Entry& b);
  static void drop_aliases(std::vector<Entry>& entries);
  static void guess_sizes(std::vector<Entry>& functions);
  static void build_index(Kind& kind);
  static Symbol make(const Entry& entry, SymbolKind kind);

  std::vector<std::shared_ptr<const ElfFile>> files_;
  Kind functions_;
  Kind objects_;
  std::string defect_;
};

}  // namespace cowtrace::process
