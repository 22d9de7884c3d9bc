// SPDX-License-Identifier: Apache-2.0
// Names for code addresses, from DWARF where there is some, otherwise from the symbol table,
// otherwise a reason why there is none.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "process/elf_module.h"
#include "process/maps.h"

namespace cowtrace::process {

struct CodeFrame {
  std::string function;  // "0x..." where `why_unnamed` is set
  std::string file;      // as DWARF has it; empty if not known
  std::uint32_t line = 0;
  bool inlined = false;  // into the frame that follows
  std::string why_unnamed;
};

class Symbolizer {
 public:
  // The functions at `address`, an address of the file (before the load bias): innermost first,
  // never empty. Answers are kept, as long as the Symbolizer lives; so must `module`.
  [[nodiscard]] const std::vector<CodeFrame>& frames_at(ElfModule& module, std::uint64_t address);

  // No file is looked at any more: what is not known yet has no name.
  void hurry() { hurried_ = true; }

 private:
  std::map<std::pair<const ElfModule*, std::uint64_t>, std::vector<CodeFrame>> known_;
  bool hurried_ = false;
};

// The one frame of an address that no file can name.
[[nodiscard]] CodeFrame unnamed_frame(std::uint64_t address, std::string why);

// "libfoo.so" of "/usr/lib/libfoo.so".
[[nodiscard]] std::string base_name(const std::string& path);

}  // namespace cowtrace::process
