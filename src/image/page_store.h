// SPDX-License-Identifier: Apache-2.0
// Pages of memory, each compressed by itself (LZ4), so that any one can be had alone. Images of one
// family share a store: what a page has in common with an earlier image is kept once. The heaps of
// Python programs take a quarter to a third of their size. One thread may add pages while another
// one gets some that were there when it was told of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/units.h"

namespace cowtrace::image {

class PageStore {
 public:
  using Id = std::uint32_t;
  static constexpr Id kZeros = 0;  // a page of zeros takes no room

  [[nodiscard]] Id add(std::span<const std::byte, kPageSize> page);
  // `id` is of this store.
  void get(Id id, std::span<std::byte, kPageSize> out) const;

  [[nodiscard]] std::uint64_t bytes_used() const {
    return chunks_.empty() ? 0 : (chunks_.size() - 1) * kChunk + used_;
  }

 private:
  static constexpr std::uint64_t kChunk = 1 << 20;
  static constexpr std::uint64_t kUnit =
      8;  // a number counts these, over all chunks: 32 GiB of them

  // Two bytes of size, and that many bytes: the page as it is if it would not become smaller.
  std::vector<std::unique_ptr<std::byte[]>> chunks_;
  mutable std::mutex
      chunks_move_;  // held while chunks_ grows, and by who does not add while he looks into it
  std::uint64_t used_ = kChunk;  // of the last chunk
};

}  // namespace cowtrace::image
