// SPDX-License-Identifier: Apache-2.0
// How wide a text is, and how it is cut where there is less room. Text is UTF-8 and already
// printable; a code point is taken for one column.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace cowtrace {

// How many columns `text` takes.
std::size_t columns(std::string_view text);

// What is left out of a text that is too long: of a name the middle, for qualifiers begin it and
// what tells names apart ends it; of a path the start; of a sentence the end.
enum class Cut { Middle, Start, End };

// At most `width` columns: what is left out is replaced by "...".
std::string fitted(std::string_view text, std::size_t width, Cut cut = Cut::Middle);

}  // namespace cowtrace
