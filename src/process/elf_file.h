// SPDX-License-Identifier: Apache-2.0
// One ELF file, read with libelf. Its content is untrusted: sizes are checked before libelf is
// asked to load anything, and it is never mapped, for a mapping of a file that somebody truncates
// raises SIGBUS.
#pragma once

#include <gelf.h>
#include <libelf.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "process/debug_budget.h"

namespace cowtrace::process {

// A PT_LOAD program header.
struct ElfSegment {
  std::uint64_t offset = 0;
  std::uint64_t address = 0;  // as the file says (p_vaddr), before any load bias
  std::uint64_t file_size = 0;
  std::uint64_t memory_size = 0;
  bool executable = false;
  bool writable = false;
};

struct ElfSection {
  std::string_view name;  // valid as long as the ElfFile
  std::size_t index = 0;
  std::uint64_t address = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint64_t entry_size = 0;
  std::uint32_t type = 0;
  std::uint32_t link = 0;
  std::uint64_t flags = 0;
};

struct DebugLink {
  std::string file_name;  // without a directory
  std::uint32_t crc = 0;
};

class ElfFile {
 public:
  // `path` is only for messages and for finding the debug file. What is loaded is taken from
  // `budget`; nullptr: from one of its own.
  [[nodiscard]] static Result<std::unique_ptr<ElfFile>> open(
      Fd file, std::string path, std::shared_ptr<DebugBudget> budget = nullptr);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] Elf* handle() const { return elf_.get(); }
  [[nodiscard]] int file() const { return file_.get(); }
  [[nodiscard]] const std::shared_ptr<DebugBudget>& budget() const { return budget_; }
  // From now on what is loaded is taken from this one.
  void share(std::shared_ptr<DebugBudget> budget) { budget_ = std::move(budget); }
  [[nodiscard]] const std::vector<ElfSegment>& segments() const { return segments_; }
  [[nodiscard]] const std::vector<ElfSection>& sections() const { return sections_; }
  [[nodiscard]] const ElfSection* section(std::string_view name) const;
  // Raw bytes of the build id note; empty if there is none.
  [[nodiscard]] const std::string& build_id() const { return build_id_; }
  [[nodiscard]] std::optional<DebugLink> debug_link() const;

  // The content of a section, uncompressed parts of it only; none if it is absent, larger than
  // `limit` bytes, beyond the budget or unreadable.
  [[nodiscard]] std::optional<std::string_view> content(const ElfSection& section,
                                                        std::uint64_t limit) const;

  // The address (before the load bias) of the byte at `offset` of the file. Segments may share a
  // page of the file: `executable` then tells which is meant.
  [[nodiscard]] std::optional<std::uint64_t> address_at(std::uint64_t offset,
                                                        bool executable) const;

  // The address of a defined symbol in .dynsym or .symtab.
  [[nodiscard]] std::optional<std::uint64_t> find_symbol(std::string_view name) const;

 private:
  struct EndElf {
    void operator()(Elf* elf) const { elf_end(elf); }
  };

  ElfFile(Fd file, std::string path, std::shared_ptr<DebugBudget> budget)
      : file_(std::move(file)), path_(std::move(path)), budget_(std::move(budget)) {}
  [[nodiscard]] Status check_header();
  Status load_segments();
  Status load_sections();
  void load_build_id();

  Fd file_;
  std::string path_;
  std::shared_ptr<DebugBudget> budget_;
  std::unique_ptr<Elf, EndElf> elf_;
  std::vector<ElfSegment> segments_;
  std::vector<ElfSection> sections_;
  mutable std::vector<bool> loaded_;  // by section: libelf has its content, and keeps it
  std::string build_id_;
};

// One raw symbol, as .symtab or .dynsym has it.
struct RawSymbol {
  std::string_view name;  // valid as long as the ElfFile
  GElf_Sym symbol = {};
};

// Calls visit(RawSymbol) -> bool (false: stop) for the defined symbols of one symbol section.
// Returns false if the section is malformed or larger than the budget; what it has until then was
// visited.
template <typename Visit>
bool for_each_symbol(const ElfFile& elf, const ElfSection& section, Visit&& visit);

inline constexpr std::uint64_t kMaxSymbols = 4'000'000;
inline constexpr std::uint64_t kMaxStrings = std::uint64_t{512} * 1024 * 1024;
inline constexpr std::size_t kMaxSymbolName = 16 * 1024;

template <typename Visit>
bool for_each_symbol(const ElfFile& elf, const ElfSection& section, Visit&& visit) {
  if (section.entry_size == 0 || section.size / section.entry_size > kMaxSymbols) return false;
  if (section.link >= elf.sections().size()) return false;
  const auto strings = elf.content(elf.sections()[section.link], kMaxStrings);
  if (!strings || !elf.content(section, kMaxStrings)) return false;
  Elf_Data* data = elf_getdata(elf_getscn(elf.handle(), section.index), nullptr);
  if (data == nullptr || data->d_type != ELF_T_SYM) return false;
  const int count = static_cast<int>(section.size / section.entry_size);
  for (int i = 0; i < count; ++i) {
    GElf_Sym symbol;
    if (gelf_getsym(data, i, &symbol) == nullptr) return false;
    if (symbol.st_shndx == SHN_UNDEF || symbol.st_name >= strings->size()) continue;
    const std::string_view tail = strings->substr(symbol.st_name, kMaxSymbolName);
    const std::size_t length = tail.find('\0');
    if (length == std::string_view::npos || length == 0) continue;
    if (!visit(RawSymbol{tail.substr(0, length), symbol})) return true;
  }
  return true;
}

}  // namespace cowtrace::process
