// SPDX-License-Identifier: Apache-2.0
// How much memory a trace may become. A few bytes of a compressed file can stand for any number of
// rows, and each of these for a long string or list that the file has once: what is made of them
// has to be in proportion to the file. Traces of real programs stay far below.
#pragma once

#include <cstdint>

namespace cowtrace::trace {

class Allowance {
 public:
  // For bytes of the file that were read.
  void grant(std::uint64_t bytes) { left_ += bytes * kPerByte; }
  // False: it is used up.
  [[nodiscard]] bool take(std::uint64_t bytes) {
    if (bytes > left_) return false;
    left_ -= bytes;
    return true;
  }

 private:
  // A break takes some 4 bytes of a file and 500 of memory; an object list that 100 processes
  // share, 2 bytes each and 1000 when it is given out.
  static constexpr std::uint64_t kPerByte = 2000;
  std::uint64_t left_ = std::uint64_t{64} << 20;
};

}  // namespace cowtrace::trace
