// SPDX-License-Identifier: Apache-2.0
// Which field of an object an address is, and so what kind of write goes there.
#pragma once

#include <cstdint>
#include <string>

#include "model/mechanism.h"
#include "python/references.h"
#include "python/types.h"

namespace cowtrace::python {

struct FieldOfWrite {
  std::string name;  // untrusted where it tells a key or an attribute
  model::Cause cause = model::Cause::Value;
};

// `address` is in the object, or in what precedes it.
[[nodiscard]] FieldOfWrite field_of(const TypeTable& types, std::uint64_t object, const Type& type,
                                    std::uint64_t address);
// `address` is in memory that `object` owns, from `start` on.
[[nodiscard]] FieldOfWrite field_of_table(const TypeTable& types, std::uint64_t object,
                                          const Type& type, Table table, std::uint64_t start,
                                          std::uint64_t address);

}  // namespace cowtrace::python
