// SPDX-License-Identifier: Apache-2.0
// Recoverable failures: Result<T> holds a value or an Error that a person can act on.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace cowtrace {

// What failed, why, and what to do about it; printed as "cowtrace: what: why: what to do" (empty
// parts are left out).
struct Error {
  std::string what;
  std::string why;
  std::string remedy;

  [[nodiscard]] std::string message() const;
};

template <typename T>
using Result = tl::expected<T, Error>;

using Status = Result<void>;

[[nodiscard]] inline tl::unexpected<Error> fail(std::string what, std::string why = {},
                                                std::string remedy = {}) {
  return tl::unexpected<Error>(Error{std::move(what), std::move(why), std::move(remedy)});
}

// The same with errno's text as the reason. `number` is an errno value.
[[nodiscard]] tl::unexpected<Error> fail_errno(std::string what, int number,
                                               std::string remedy = {});

}  // namespace cowtrace
