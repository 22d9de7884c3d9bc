// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace cowtrace {

// The numbers of the bits that are set, ascending.
template <typename Callback>
void for_each_bit(const std::vector<std::uint64_t>& bits, Callback&& callback) {
  for (std::size_t i = 0; i < bits.size(); ++i)
    for (std::uint64_t word = bits[i]; word != 0; word &= word - 1)
      callback(i * 64 + static_cast<std::uint64_t>(std::countr_zero(word)));
}

}  // namespace cowtrace
