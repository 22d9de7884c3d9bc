// SPDX-License-Identifier: Apache-2.0
// A file that a traced process has mapped: its symbols, its debug information, how its functions
// are unwound.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "cpu_limit.h"
#include "process/demangle.h"
#include "process/dwarf_info.h"
#include "process/elf_module.h"
#include "process/symbol_table.h"
#include "process/unwind_table.h"

namespace {

constexpr std::uint64_t kStep = 16;
constexpr std::uint64_t kMostAddresses = 64;

// A file of which nothing is left.
cowtrace::Fd file_of(const std::uint8_t* data, std::size_t size) {
  cowtrace::Fd file(memfd_create("fuzz", MFD_CLOEXEC));
  if (write(file.get(), data, size) != static_cast<ssize_t>(size)) return {};
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cowtrace::process;
  const cowtrace::fuzz::CpuLimit limit;
  ElfModule module(file_of(data, size), "fuzz", std::make_shared<FileRoot>());
  const ElfFile* elf = module.elf();
  if (elf == nullptr) return 0;
  static_cast<void>(module.find_symbol("main"));
  static_cast<void>(module.find_symbol("_PyRuntime"));
  const SymbolTable& symbols = module.symbols();
  DwarfInfo* const debug = module.dwarf();
  UnwindTable* const unwinding = module.unwind_table();
  for (const ElfSegment& segment : elf->segments()) {
    for (std::uint64_t i = 0; i < kMostAddresses; ++i) {
      const std::uint64_t address = segment.address + i * kStep;
      for (const SymbolKind kind : {SymbolKind::Function, SymbolKind::Object})
        if (const auto symbol = symbols.find(kind, address))
          static_cast<void>(demangle(symbol->name));
      if (unwinding != nullptr) static_cast<void>(unwinding->rule_at(address));
      if (debug != nullptr) static_cast<void>(debug->frames_at(address));
    }
  }
  static_cast<void>(symbols.objects_in(0, UINT64_MAX, 1000));
  return 0;
}
