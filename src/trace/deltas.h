// SPDX-License-Identifier: Apache-2.0
// A column of differences: small numbers where values are near each other. Wraps around, so that
// every value has one.
#pragma once

#include <cstdint>

namespace cowtrace::trace {

class Delta {
 public:
  std::int64_t put(std::uint64_t value) {
    const auto difference = static_cast<std::int64_t>(value - last_);
    last_ = value;
    return difference;
  }
  std::uint64_t get(std::int64_t difference) {
    return last_ += static_cast<std::uint64_t>(difference);
  }

 private:
  std::uint64_t last_ = 0;
};

}  // namespace cowtrace::trace
