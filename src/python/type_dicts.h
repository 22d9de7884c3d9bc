// SPDX-License-Identifier: Apache-2.0
// Where types keep what is in their __dict__: in themselves, or from 3.12 on, for static ones,
// beside the interpreter.
#pragma once

#include <cstdint>

#include "python/runtime.h"
#include "python/types.h"

namespace cowtrace::python {

// managed_static_type_state (static_builtin_state in 3.12) of a static type; 0: it has none, all of
// it is in the type.
[[nodiscard]] std::uint64_t static_type_state(const TypeTable& types, const Runtime& runtime,
                                              std::uint64_t type);

// The dict of the type at `type`; 0: it has none.
[[nodiscard]] std::uint64_t dict_of_type(const TypeTable& types, const Runtime& runtime,
                                         std::uint64_t type);

}  // namespace cowtrace::python
