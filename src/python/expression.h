// SPDX-License-Identifier: Apache-2.0
// What --watch takes: names, attributes and constant subscripts, as `sys.modules['statistics']`,
// `myapp.config.RULES[12]`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cowtrace::python {

struct Expression {
  struct Step {
    bool subscript = false;  // else an attribute
    std::string key;  // the attribute's name; of a subscript the constant as repr() writes it
    std::optional<std::string> text;    // of a subscript by a str: the str itself, in UTF-8
    std::optional<std::int64_t> index;  // of a subscript by an int that may be an index
  };
  std::string text;  // as it was given
  std::string root;  // the first name: of a module, or of something in `__main__`
  std::vector<Step> steps;
};

// Errors say what is wrong and where; what the grammar has not (calls, operators, slices) among
// them.
[[nodiscard]] Result<Expression> parse_expression(std::string_view text);

}  // namespace cowtrace::python
