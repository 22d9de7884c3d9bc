// SPDX-License-Identifier: Apache-2.0
#include "process/elf_imports.h"

#include "process/elf_file.h"
#include "process/file_read.h"

namespace cowtrace::process {
namespace {

bool section_imports(const ElfFile& elf, const ElfSection& section, std::string_view name) {
  if (section.entry_size == 0 || section.link >= elf.sections().size()) return false;
  if (section.size / section.entry_size > kMaxSymbols) return false;
  const auto strings = elf.content(elf.sections()[section.link], kMaxStrings);
  if (!strings || !elf.content(section, kMaxStrings)) return false;
  Elf_Data* data = elf_getdata(elf_getscn(elf.handle(), section.index), nullptr);
  if (data == nullptr || data->d_type != ELF_T_SYM) return false;
  const std::size_t count = section.size / section.entry_size;
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Sym symbol{};
    if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) return false;
    if (symbol.st_shndx != SHN_UNDEF || symbol.st_name >= strings->size()) continue;
    const std::string_view tail = strings->substr(symbol.st_name);
    if (tail.starts_with(name) && tail.size() > name.size() && tail[name.size()] == '\0')
      return true;
  }
  return false;
}

}  // namespace

Result<bool> imports_symbol(const std::string& path, std::string_view name) {
  auto file = open_regular(path);
  if (!file) return tl::unexpected(file.error());
  const auto elf = ElfFile::open(std::move(*file), path);
  if (!elf) return tl::unexpected(elf.error());
  for (const ElfSection& section : (*elf)->sections())
    if (section.type == SHT_DYNSYM && section_imports(**elf, section, name)) return true;
  return false;
}

}  // namespace cowtrace::process
