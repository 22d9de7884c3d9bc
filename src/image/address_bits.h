// SPDX-License-Identifier: Apache-2.0
// A bit for each address of an image at which an object may begin. Takes memory only where bits
// were set, however large the mappings are.
#pragma once

#include <bit>
#include <cstdint>

#include "base/lazy_array.h"
#include "base/units.h"
#include "image/memory_image.h"

namespace cowtrace::image {

class AddressBits {
 public:
  static constexpr std::uint64_t kGrain = 8;  // objects of static data are aligned to no more

  explicit AddressBits(const MemoryImage& image) : words_(image.pages() * kWordsPerPage) {}

  // `address` is a multiple of kGrain in `region`.
  [[nodiscard]] bool test(const MemoryImage::Region& region, std::uint64_t address) const {
    const std::uint64_t number = number_of(region, address);
    return (words_[number / 64] >> number % 64 & 1) != 0;
  }
  void set(const MemoryImage::Region& region, std::uint64_t address) {
    const std::uint64_t number = number_of(region, address);
    words_[number / 64] |= std::uint64_t{1} << number % 64;
  }
  void clear(const MemoryImage::Region& region, std::uint64_t address) {
    const std::uint64_t number = number_of(region, address);
    words_[number / 64] &= ~(std::uint64_t{1} << number % 64);
  }
  void prefetch(const MemoryImage::Region& region, std::uint64_t address) const {
    __builtin_prefetch(&words_[number_of(region, address) / 64], 1);
  }

  static constexpr std::uint64_t kWordsPerPage = kPageSize / kGrain / 64;
  // The page of the image that `address` is in, and bits that are set in that page, in all of it or
  // before `address`.
  [[nodiscard]] static std::uint64_t page_of(const MemoryImage::Region& region,
                                             std::uint64_t address) {
    return region.first_page + (address - region.start) / kPageSize;
  }
  [[nodiscard]] std::uint32_t count_in_page(std::uint64_t page) const {
    int count = 0;
    for (std::uint64_t i = 0; i < kWordsPerPage; ++i)
      count += std::popcount(words_[page * kWordsPerPage + i]);
    return static_cast<std::uint32_t>(count);
  }
  [[nodiscard]] std::uint32_t count_before(const MemoryImage::Region& region,
                                           std::uint64_t address) const {
    const std::uint64_t number = number_of(region, address);
    int count = std::popcount(words_[number / 64] & ((std::uint64_t{1} << number % 64) - 1));
    for (std::uint64_t i = number / 64 / kWordsPerPage * kWordsPerPage; i < number / 64; ++i)
      count += std::popcount(words_[i]);
    return static_cast<std::uint32_t>(count);
  }

 private:
  [[nodiscard]] static std::uint64_t number_of(const MemoryImage::Region& region,
                                               std::uint64_t address) {
    return (region.first_page * kPageSize + (address - region.start)) / kGrain;
  }

  LazyArray<std::uint64_t> words_;
};

}  // namespace cowtrace::image
