// SPDX-License-Identifier: Apache-2.0
// The .eh_frame of one ELF file: how to get from a function to its caller where there are no frame
// pointers. Read by libdw; the file is untrusted.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "base/unwind_rule.h"
#include "process/elf_file.h"

namespace cowtrace::process {

class UnwindTable {
 public:
  // nullptr if the file has none, or it is malformed, too large, as no compiler writes it, or of
  // another machine than x86-64.
  [[nodiscard]] static std::unique_ptr<UnwindTable> open(std::shared_ptr<const ElfFile> elf);

  // The rule at the instruction that holds `address` (before the load bias); none if nothing is
  // said of it.
  [[nodiscard]] std::optional<UnwindRule> rule_at(std::uint64_t address);

 private:
  struct EndCfi {
    void operator()(Dwarf_CFI* cfi) const { dwarf_cfi_end(cfi); }
  };
  using CfiHandle = std::unique_ptr<Dwarf_CFI, EndCfi>;

  UnwindTable(std::shared_ptr<const ElfFile> elf, CfiHandle cfi)
      : elf_(std::move(elf)), cfi_(std::move(cfi)) {}

  std::shared_ptr<const ElfFile> elf_;
  CfiHandle cfi_;
};

}  // namespace cowtrace::process
