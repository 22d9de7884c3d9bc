// SPDX-License-Identifier: Apache-2.0
// What an expression leads to in one image, read as data: no code runs, so what a descriptor or
// __getitem__ would compute is not known.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "python/expression.h"
#include "python/runtime.h"
#include "python/types.h"

namespace cowtrace::python {

struct Evaluation {
  enum class Outcome { Found, Missing, Unknown };
  Outcome outcome = Outcome::Unknown;
  std::string why;  // of Missing and Unknown
  std::uint64_t object = 0;
  std::uint64_t start = 0, end = 0;  // of the object, with what precedes it
  std::string type;                  // untrusted
  std::uint64_t slot = 0;            // address of the word that refers to the object
  std::string place;                 // what the slot is: "entry 'json' of sys.modules"; untrusted
  std::vector<std::uint64_t>
      pages;  // that were relied on, ascending: where none is written, the answer stays
};

[[nodiscard]] Evaluation evaluate(const TypeTable& types, const Runtime& runtime,
                                  const Expression& expression);

// The interpreter takes itself apart: sys.meta_path is None already, which importlib relies on too,
// or there are no modules any more.
[[nodiscard]] bool is_finalizing(const TypeTable& types, const Runtime& runtime);

}  // namespace cowtrace::python
