// SPDX-License-Identifier: Apache-2.0
#include "image/page_store.h"

#include <lz4.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace cowtrace::image {
namespace {

constexpr std::uint64_t kHeader = sizeof(std::uint16_t);
constexpr std::array<std::byte, kPageSize> kZeroPage{};

}  // namespace

PageStore::Id PageStore::add(std::span<const std::byte, kPageSize> page) {
  if (std::memcmp(page.data(), kZeroPage.data(), kPageSize) == 0) return kZeros;
  if (kChunk - used_ < kHeader + kPageSize) {
    // Not cleared: its pages are taken from the system as they are used.
    {
      const std::scoped_lock growing(chunks_move_);
      chunks_.emplace_back(new std::byte[kChunk]);
    }
    used_ = chunks_.size() == 1 ? kUnit : 0;  // kZeros is no place
  }
  std::byte* const out = chunks_.back().get() + used_;
  const int got = LZ4_compress_default(reinterpret_cast<const char*>(page.data()),
                                       reinterpret_cast<char*>(out + kHeader), kPageSize,
                                       static_cast<int>(kPageSize - 1));
  const auto size = static_cast<std::uint16_t>(got > 0 ? got : kPageSize);
  if (got <= 0) std::memcpy(out + kHeader, page.data(), kPageSize);
  std::memcpy(out, &size, kHeader);
  const auto id = static_cast<Id>(((chunks_.size() - 1) * kChunk + used_) / kUnit);
  used_ = std::min(kChunk, (used_ + kHeader + size + kUnit - 1) / kUnit * kUnit);
  return id;
}

void PageStore::get(Id id, std::span<std::byte, kPageSize> out) const {
  if (id == kZeros) {
    std::memset(out.data(), 0, kPageSize);
    return;
  }
  const std::uint64_t at = id * kUnit;
  const std::byte* const kept = [&] {
    const std::scoped_lock looking(chunks_move_);
    return chunks_[at / kChunk].get() + at % kChunk;
  }();
  std::uint16_t size = 0;
  std::memcpy(&size, kept, kHeader);
  if (size == kPageSize)
    std::memcpy(out.data(), kept + kHeader, kPageSize);
  else
    LZ4_decompress_safe(reinterpret_cast<const char*>(kept + kHeader),
                        reinterpret_cast<char*>(out.data()), size, kPageSize);
}

}  // namespace cowtrace::image
