// SPDX-License-Identifier: Apache-2.0
// Typed ids: an index or a number that cannot be mixed up with another kind of id.
#pragma once

#include <cstdint>
#include <functional>

namespace cowtrace {

template <typename Tag, typename Number = std::uint32_t>
struct Id {
  Number value{};

  constexpr Id() = default;
  constexpr explicit Id(Number number) : value(number) {}
  friend constexpr auto operator<=>(const Id&, const Id&) = default;
};

}  // namespace cowtrace

template <typename Tag, typename Number>
struct std::hash<cowtrace::Id<Tag, Number>> {
  std::size_t operator()(const cowtrace::Id<Tag, Number>& id) const noexcept {
    return std::hash<Number>{}(id.value);
  }
};
