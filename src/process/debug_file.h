// SPDX-License-Identifier: Apache-2.0
// Finds the separate debug file of an ELF file, by build id and by .gnu_debuglink, and makes sure
// that the two belong together.
#pragma once

#include <memory>
#include <string>

#include "process/debug_source.h"
#include "process/elf_file.h"
#include "process/file_root.h"

namespace cowtrace::process {

// nullptr if there is none that matches. By its build id it is looked for in `root`, then in our
// own root; by what `elf` names in `root` alone; then `source` is asked (nullptr: nobody is).
[[nodiscard]] std::unique_ptr<ElfFile> find_debug_file(const ElfFile& elf, const FileRoot& root,
                                                       DebugSource* source = nullptr);

// The file that .gnu_debugaltlink names (dwz moves what many debug files have in common there);
// nullptr if none matches.
[[nodiscard]] std::unique_ptr<ElfFile> find_alternate_debug_file(const ElfFile& elf,
                                                                 const FileRoot& root,
                                                                 DebugSource* source = nullptr);

}  // namespace cowtrace::process
