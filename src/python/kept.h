// SPDX-License-Identifier: Apache-2.0
// Objects that an interpreter has once, for everybody and for good: None, small integers, static
// types and the like.
#pragma once

#include <cstdint>

#include "python/runtime.h"
#include "python/types.h"

namespace cowtrace::python {

// Is `object` one of those to which nobody counts references from CPython 3.12 on (PEP 683)? What
// is interned is none: 3.12 alone keeps it for good, 3.13 does not.
[[nodiscard]] bool is_kept(const TypeTable& types, const Runtime& runtime, std::uint64_t object,
                           const Type& type);

}  // namespace cowtrace::python
