// SPDX-License-Identifier: Apache-2.0
#include "python/address_bits.h"

#include <sys/mman.h>

#include <new>

namespace cowtrace::python {

AddressBits::AddressBits(const MemoryImage& image) : first_(image.regions().front().host) {
  const MemoryImage::Region& last = image.regions().back();
  const std::uint64_t space = static_cast<std::uint64_t>(last.host - first_) + (last.end - last.start);
  bytes_ = (space / kGrain / 64 + 1) * sizeof(std::uint64_t);
  void* const words = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (words == MAP_FAILED) throw std::bad_alloc();
  words_ = static_cast<std::uint64_t*>(words);
}

AddressBits::~AddressBits() { munmap(words_, bytes_); }

}  // namespace cowtrace::python
