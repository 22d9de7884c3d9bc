// SPDX-License-Identifier: Apache-2.0
#include "process/elf_imports.h"

#include <gelf.h>
#include <libelf.h>

#include <cstddef>
#include <memory>

#include "process/file_read.h"

namespace cowtrace::process {
namespace {

bool section_imports(Elf* elf, Elf_Scn* section, const GElf_Shdr& header, std::string_view name) {
  Elf_Data* data = elf_getdata(section, nullptr);
  if (data == nullptr || header.sh_entsize == 0) return false;
  const std::size_t count = data->d_size / header.sh_entsize;
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Sym symbol{};
    if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) return false;
    if (symbol.st_shndx != SHN_UNDEF) continue;
    const char* text = elf_strptr(elf, header.sh_link, symbol.st_name);
    if (text != nullptr && name == text) return true;
  }
  return false;
}

}  // namespace

Result<bool> imports_symbol(const std::string& path, std::string_view name) {
  auto file = open_regular(path);
  if (!file) return tl::unexpected(file.error());
  elf_version(EV_CURRENT);
  const std::unique_ptr<Elf, int (*)(Elf*)> elf(elf_begin(file->get(), ELF_C_READ, nullptr),
                                                elf_end);
  if (!elf || elf_kind(elf.get()) != ELF_K_ELF) return fail(path, "not an ELF file");
  for (Elf_Scn* section = nullptr; (section = elf_nextscn(elf.get(), section)) != nullptr;) {
    GElf_Shdr header{};
    if (gelf_getshdr(section, &header) == nullptr || header.sh_type != SHT_DYNSYM) continue;
    if (section_imports(elf.get(), section, header, name)) return true;
  }
  return false;
}

}  // namespace cowtrace::process
