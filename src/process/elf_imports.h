// SPDX-License-Identifier: Apache-2.0
// What an ELF file wants from others.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace cowtrace::process {

// Does the dynamic symbol table of the ELF file at `path` have an undefined symbol `name`? False
// for static files.
[[nodiscard]] Result<bool> imports_symbol(const std::string& path, std::string_view name);

}  // namespace cowtrace::process
