// SPDX-License-Identifier: Apache-2.0
// The messages of a trace file, without the compression around them, and all that is made of them.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "cpu_limit.h"
#include "report_everything.h"
#include "wire_mutator.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const cowtrace::fuzz::CpuLimit limit;
  cowtrace::fuzz::try_everything(
      cowtrace::trace::read_messages({reinterpret_cast<const char*>(data), size}, "fuzz.cow"));
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t most, unsigned seed) {
  return cowtrace::fuzz::mutate_messages(data, size, most, seed);
}
