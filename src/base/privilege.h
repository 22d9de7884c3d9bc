// SPDX-License-Identifier: Apache-2.0
// What this process may not do, and why: a root is not always the machine's.
#pragma once

#include <optional>
#include <string>

namespace cowtrace {

// Why this process lacks the power that tracing takes, and what to do: not root, or the root of a
// user namespace alone. None: it is the machine's root.
struct Powerless {
  std::string why;
  std::string remedy;
};
[[nodiscard]] std::optional<Powerless> powerless();

// Is one of the capabilities of linux/capability.h among those in effect?
[[nodiscard]] bool has_capability(int number);

}  // namespace cowtrace
