// SPDX-License-Identifier: Apache-2.0
// A bit for each address of an image at which an object may begin. Takes memory only where bits were set, however large the mappings are.
#pragma once

#include <cstdint>

#include "python/memory_image.h"

namespace cowtrace::python {

class AddressBits {
 public:
  static constexpr std::uint64_t kGrain = 8;  // objects of static data are aligned to no more

  explicit AddressBits(const MemoryImage& image);
  AddressBits(const AddressBits&) = delete;
  AddressBits& operator=(const AddressBits&) = delete;
  ~AddressBits();

  // `address` is a multiple of kGrain in `region`.
  [[nodiscard]] bool test(const MemoryImage::Region& region, std::uint64_t address) const {
    const std::uint64_t number = number_of(region, address);
    return (words_[number / 64] >> number % 64 & 1) != 0;
  }
  void set(const MemoryImage::Region& region, std::uint64_t address) {
    const std::uint64_t number = number_of(region, address);
    words_[number / 64] |= std::uint64_t{1} << number % 64;
  }
  void prefetch(const MemoryImage::Region& region, std::uint64_t address) const {
    __builtin_prefetch(&words_[number_of(region, address) / 64], 1);
  }

 private:
  // Regions follow each other where their bytes are.
  [[nodiscard]] std::uint64_t number_of(const MemoryImage::Region& region, std::uint64_t address) const {
    return (static_cast<std::uint64_t>(region.host - first_) + (address - region.start)) / kGrain;
  }

  const std::byte* first_;
  std::uint64_t bytes_;
  std::uint64_t* words_;
};

}  // namespace cowtrace::python
