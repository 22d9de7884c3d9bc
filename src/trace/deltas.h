// SPDX-License-Identifier: Apache-2.0
// A column of differences: small numbers where values are near each other. Wraps around, so that
// every value has one.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

namespace cowtrace::trace {

template <typename Value>
class BasicDelta {
 public:
  using Difference = std::make_signed_t<Value>;

  Difference put(Value value) {
    return static_cast<Difference>(value - std::exchange(last_, value));
  }
  Value get(Difference difference) { return last_ += static_cast<Value>(difference); }

 private:
  Value last_ = 0;
};

using Delta = BasicDelta<std::uint64_t>;
using ShortDelta = BasicDelta<std::uint32_t>;

}  // namespace cowtrace::trace
