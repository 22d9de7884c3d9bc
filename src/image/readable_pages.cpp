// SPDX-License-Identifier: Apache-2.0
#include "image/readable_pages.h"

#include <sys/mman.h>

#include <algorithm>

namespace cowtrace::image {
std::byte* ReadablePages::make(std::uint64_t page, bool stays) {
  std::uint64_t slot = 0;
  if (stays) {
    slot = count_ - staying_++;
  } else {
    pages_.push_back(static_cast<std::uint32_t>(page));
    slot = pages_.size();
    touched_ = std::max(touched_, slot);
  }
  slot_of_[page] = static_cast<std::uint32_t>(slot);
  return memory_.data() + slot * kPageSize;
}

void ReadablePages::clear(std::uint64_t keep) {
  for (const std::uint32_t page : pages_) slot_of_[page] = 0;
  pages_.clear();
  if (touched_ <= keep) return;
  madvise(memory_.data(), (touched_ + 1) * kPageSize, MADV_NOHUGEPAGE);
  madvise(memory_.data() + (keep + 1) * kPageSize, (touched_ - keep) * kPageSize, MADV_DONTNEED);
  touched_ = keep;
  if (keep == 0) pages_.shrink_to_fit();
}

void ReadablePages::expect_many() {
  madvise(memory_.data(), count_ * kPageSize, MADV_HUGEPAGE);
}

}  // namespace cowtrace::image
