// SPDX-License-Identifier: Apache-2.0
#include "process/symbol_table.h"

#include <algorithm>
#include <tuple>

#include "process/demangle.h"

namespace cowtrace::process {
namespace {

// Sized before guessed, global before weak before local: lower is better.
int binding_rank(std::uint8_t binding) {
  switch (binding) {
    case STB_GLOBAL:
      return 0;
    case STB_WEAK:
      return 1;
    default:
      return 2;
  }
}

std::size_t leading_underscores(std::string_view name) {
  return std::min(name.find_first_not_of('_'), name.size());
}

}  // namespace

SymbolTable::SymbolTable(std::vector<std::shared_ptr<const ElfFile>> files)
    : files_(std::move(files)) {
  bool has_symtab = false;
  for (const auto& file : files_) {
    load(*file);
    has_symtab =
        has_symtab || std::any_of(file->sections().begin(), file->sections().end(),
                                  [](const ElfSection& one) { return one.type == SHT_SYMTAB; });
  }
  if (defect_.empty() && !has_symtab && !files_.empty()) defect_ = "stripped";
  drop_aliases(functions_.entries);
  drop_aliases(objects_.entries);
  guess_sizes(functions_.entries);
  build_index(functions_);
  build_index(objects_);
}

void SymbolTable::load(const ElfFile& elf) {
  for (const ElfSection& section : elf.sections()) {
    if (section.type != SHT_SYMTAB && section.type != SHT_DYNSYM) continue;
    const auto visit = [&](const RawSymbol& raw) {
      if (size() >= kMaxSymbols) return false;
      add(elf, raw);
      return true;
    };
    if (!for_each_symbol(elf, section, visit))
      defect_ = "its symbol table is malformed or too large";
  }
}

void SymbolTable::add(const ElfFile& elf, const RawSymbol& raw) {
  const GElf_Sym& symbol = raw.symbol;
  const auto type = GELF_ST_TYPE(symbol.st_info);
  const auto binding = static_cast<std::uint8_t>(GELF_ST_BIND(symbol.st_info));
  const ElfSection* section =
      symbol.st_shndx < elf.sections().size() ? &elf.sections()[symbol.st_shndx] : nullptr;
  const bool in_code = section != nullptr && (section->flags & SHF_EXECINSTR) != 0;
  const bool is_function = type == STT_FUNC || type == STT_GNU_IFUNC ||
                           (type == STT_NOTYPE && in_code && binding != STB_LOCAL);
  if (!is_function && type != STT_OBJECT) return;
  if (symbol.st_value + symbol.st_size < symbol.st_value) return;
  const std::uint64_t section_end = section != nullptr ? section->address + section->size : 0;
  auto& entries = is_function ? functions_.entries : objects_.entries;
  entries.push_back({symbol.st_value, symbol.st_size, raw.name, section_end, binding, false});
}

// Which of several names of one address people would rather read.
bool SymbolTable::is_better(const Entry& a, const Entry& b) {
  const auto rank = [](const Entry& entry) {
    return std::make_tuple(entry.size == 0, binding_rank(entry.binding),
                           leading_underscores(entry.name), entry.name.size(), entry.name);
  };
  return rank(a) < rank(b);
}

void SymbolTable::drop_aliases(std::vector<Entry>& entries) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.address != b.address ? a.address < b.address : is_better(a, b);
  });
  const auto end = std::unique(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.address == b.address;
  });
  entries.erase(end, entries.end());
  entries.shrink_to_fit();
}

void SymbolTable::guess_sizes(std::vector<Entry>& functions) {
  for (std::size_t i = 0; i < functions.size(); ++i) {
    Entry& entry = functions[i];
    if (entry.size != 0) continue;
    std::uint64_t end = entry.section_end;
    if (i + 1 < functions.size()) end = std::min(end, functions[i + 1].address);
    entry.size_guessed = true;
    entry.size = end > entry.address ? end - entry.address : 0;
  }
}

void SymbolTable::build_index(Kind& kind) {
  std::vector<Interval> intervals;
  intervals.reserve(kind.entries.size());
  for (const Entry& entry : kind.entries) {
    intervals.push_back({entry.address, entry.address + std::max<std::uint64_t>(entry.size, 1)});
  }
  kind.index = IntervalIndex(intervals);
}

Symbol SymbolTable::make(const Entry& entry, SymbolKind kind) {
  return {demangle(entry.name), entry.address, entry.size, kind, entry.size_guessed};
}

std::optional<Symbol> SymbolTable::find(SymbolKind kind, std::uint64_t address) const {
  const Kind& table = kind == SymbolKind::Function ? functions_ : objects_;
  const auto found = table.index.last_covering(address);
  if (!found) return std::nullopt;
  return make(table.entries[*found], kind);
}

std::vector<Symbol> SymbolTable::objects_in(std::uint64_t start, std::uint64_t end,
                                            std::size_t limit) const {
  std::vector<Symbol> found;
  for (std::size_t before = SIZE_MAX; start < end && found.size() < limit;) {
    const auto index = objects_.index.last_covering(start, before);
    if (!index) break;
    found.push_back(make(objects_.entries[*index], SymbolKind::Object));
    before = *index;
  }
  std::reverse(found.begin(), found.end());
  for (std::size_t i = objects_.index.first_from(start + 1); i < objects_.entries.size(); ++i) {
    if (objects_.entries[i].address >= end || found.size() >= limit) break;
    found.push_back(make(objects_.entries[i], SymbolKind::Object));
  }
  return found;
}

}  // namespace cowtrace::process
