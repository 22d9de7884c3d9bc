// SPDX-License-Identifier: Apache-2.0
// A trace file as it is on disk, and all that is made of it.
#include <zstd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "cpu_limit.h"
#include "report_everything.h"
#include "trace/zstd_frames.h"
#include "wire_mutator.h"

namespace {

std::string compressed(std::string_view bytes) {
  std::string frame(ZSTD_compressBound(bytes.size()), '\0');
  const std::size_t size = ZSTD_compress(frame.data(), frame.size(), bytes.data(), bytes.size(), 1);
  frame.resize(ZSTD_isError(size) != 0 ? 0 : size);
  return frame;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const cowtrace::fuzz::CpuLimit limit;
  cowtrace::fuzz::try_everything(
      cowtrace::trace::read_bytes({reinterpret_cast<const char*>(data), size}, "fuzz.cow"));
  return 0;
}

// Frames have checksums: what is changed in them is changed before it is compressed. Every other
// time the bytes themselves are.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t most, unsigned seed) {
  constexpr std::size_t kLargest = 1 << 16;
  std::minstd_rand random(seed);
  if (random() % 2 == 0) return LLVMFuzzerMutate(data, size, most);
  cowtrace::trace::FrameReader frames({reinterpret_cast<const char*>(data), size});
  std::string file;
  const std::size_t chosen = random() % 4;
  std::size_t number = 0;
  for (std::string_view frame = frames.next(); !frame.empty(); frame = frames.next()) {
    std::string messages(frame);
    if (number++ == chosen && messages.size() <= kLargest) {
      messages.resize(2 * kLargest);
      messages.resize(cowtrace::fuzz::mutate_messages(
          reinterpret_cast<std::uint8_t*>(messages.data()), frame.size(), messages.size(),
          static_cast<unsigned>(random())));
    }
    file += compressed(messages);
  }
  if (file.empty() || file.size() > most) return LLVMFuzzerMutate(data, size, most);
  std::copy(file.begin(), file.end(), data);
  return file.size();
}
