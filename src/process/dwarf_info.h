// SPDX-License-Identifier: Apache-2.0
// The DWARF of one ELF file: which functions, inlined ones included, and which source lines are at
// an address (before the load bias).
#pragma once

#include <elfutils/libdw.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "process/debug_source.h"
#include "process/elf_file.h"
#include "process/file_root.h"
#include "process/interval_index.h"
#include "process/line_table_size.h"

namespace cowtrace::process {

// A function at an address; what DWARF does not know is empty or 0.
struct DwarfFrame {
  std::string function;  // demangled
  bool qualified =
      true;  // false: a bare name, for DWARF gives functions that nobody can link to no other
  std::string file;
  std::uint32_t line = 0;
  bool inlined = false;
};

class DwarfInfo {
 public:
  // nullptr if the file has no usable debug information (none, too large, malformed, its dwz part
  // missing, of which `source` is asked too).
  [[nodiscard]] static std::unique_ptr<DwarfInfo> open(std::shared_ptr<const ElfFile> elf,
                                                       const FileRoot& root,
                                                       DebugSource* source = nullptr);

  // Innermost first; empty if no compile unit covers `address`. One frame without a function if
  // only the line is known.
  [[nodiscard]] std::vector<DwarfFrame> frames_at(std::uint64_t address);

 private:
  struct EndDwarf {
    void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
  };
  using DwarfHandle = std::unique_ptr<Dwarf, EndDwarf>;

  DwarfInfo(std::shared_ptr<const ElfFile> elf, std::unique_ptr<ElfFile> alternate_file,
            DwarfHandle alternate, DwarfHandle dwarf);
  // What directly contains code in one unit: functions and blocks, by address.
  struct Scopes {
    IntervalIndex ranges;
    std::vector<Dwarf_Die> of_range;
  };

  void index_units();
  // May libdw read the unit's table of lines? It takes a place in the budget then.
  bool lines_fit(Dwarf_Off unit_offset, Dwarf_Die& unit);
  const Scopes& scopes_of(Dwarf_Off unit_offset, Dwarf_Die unit);

  std::shared_ptr<const ElfFile> elf_;
  std::unique_ptr<ElfFile> alternate_file_;
  DwarfHandle alternate_;
  DwarfHandle dwarf_;
  IntervalIndex unit_ranges_;
  std::vector<Dwarf_Off> unit_of_range_;  // DIE offsets
  bool indexed_ = false;
  LineSections line_sections_;
  std::unordered_map<Dwarf_Off, bool> lines_fit_;  // by unit
  std::unordered_map<Dwarf_Off, Scopes> scopes_;   // by unit, of those that were asked about
  std::size_t scope_ranges_ = 0;                   // in all of them
};

}  // namespace cowtrace::process
