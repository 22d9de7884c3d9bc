// SPDX-License-Identifier: Apache-2.0
// Whether an .eh_frame is one that libdw may be given: it takes as much memory as the largest
// register that an instruction names (half a GiB for one number of four bytes), as often as an
// instruction says so, and a file's author can write what he likes.
#pragma once

#include "process/elf_file.h"

namespace cowtrace::process {

// Every entry that libdw can come to, by the section or by its search table, is as compilers and
// linkers write them: registers are few, states kept are few, instructions end.
[[nodiscard]] bool is_harmless_cfi(const ElfFile& elf);

}  // namespace cowtrace::process
