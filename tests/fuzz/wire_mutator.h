// SPDX-License-Identifier: Apache-2.0
// Changes length-delimited protobuf messages so that they stay messages: bytes changed at random
// mostly end at the first length that does not fit. Knows the wire format alone, not what the
// fields mean.
#pragma once

#include <cstddef>
#include <cstdint>

// libFuzzer's.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace cowtrace::fuzz {

// As LLVMFuzzerCustomMutator: changes `data` in place, which has room for `most` bytes, and returns
// the new size.
std::size_t mutate_messages(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed);

}  // namespace cowtrace::fuzz
