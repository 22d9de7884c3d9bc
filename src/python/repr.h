// SPDX-License-Identifier: Apache-2.0
// Constants as Python writes them: what may stand between the brackets of a subscript.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "python/types.h"

namespace cowtrace::python {

// The text of a str object; none if `object` is none, or if its text is longer than `limit` bytes.
[[nodiscard]] std::optional<std::string> text_at(const TypeTable& types, std::uint64_t object,
                                                 std::size_t limit);

// repr() of a str, int, bytes, bool, None or a tuple of these; none of anything else, and of what
// is too long to be read by people.
[[nodiscard]] std::optional<std::string> repr_at(const TypeTable& types, std::uint64_t object);

// repr() of a str with this text.
[[nodiscard]] std::string repr_of(std::string_view text);
// repr() of bytes.
[[nodiscard]] std::string repr_of_bytes(std::string_view bytes);

[[nodiscard]] bool is_identifier(std::string_view text);

}  // namespace cowtrace::python
