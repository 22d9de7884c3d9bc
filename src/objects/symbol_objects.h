// SPDX-License-Identifier: Apache-2.0
// The data symbols of loaded ELF files (static variables, vtables, ...) as objects.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "model/objects.h"
#include "objects/module_map.h"

namespace cowtrace::objects {

// The innermost data symbol that covers `address`.
[[nodiscard]] std::optional<model::Object> symbol_object_at(ModuleMap& modules,
                                                            std::uint64_t address);

// All that overlap [start, end), ascending, at most `limit`.
[[nodiscard]] std::vector<model::Object> symbol_objects_in(ModuleMap& modules, std::uint64_t start,
                                                           std::uint64_t end, std::size_t limit);

}  // namespace cowtrace::objects
