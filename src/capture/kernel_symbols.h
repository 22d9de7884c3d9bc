// SPDX-License-Identifier: Apache-2.0
// The names that the compiler gave to copies of a kernel function.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

namespace cowtrace::capture {

// `name.isra.N`, `name.constprop.N` or `name.part.N` (also combined), the first in `kallsyms` (the
// format of /proc/kallsyms). A part of a function that the compiler has put elsewhere (`name.cold`)
// does not begin where the function begins.
std::optional<std::string> suffixed_symbol(std::istream& kallsyms, std::string_view name);

}  // namespace cowtrace::capture
