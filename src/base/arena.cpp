// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <memory>
#include <new>

namespace cowtrace {
namespace {

// Small beside any capture that is worth the trouble, and 64 faults saved.
constexpr std::size_t kPiece = 256 << 10;

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // Linux 5.14
#endif

}  // namespace

Arena::~Arena() {
  for (const Piece& piece : pieces_) munmap(piece.memory, piece.size);
}

void* Arena::do_allocate(std::size_t bytes, std::size_t alignment) {
  if (next_ == nullptr || std::align(alignment, bytes, next_, left_) == nullptr) {
    const std::size_t size = std::max(kPiece, (bytes + alignment + kPiece - 1) / kPiece * kPiece);
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    pieces_.push_back({memory, size});
    // An older kernel says no: then the pages come one by one.
    madvise(memory, size, MADV_POPULATE_WRITE);
    next_ = memory;
    left_ = size;
    std::align(alignment, bytes, next_, left_);
  }
  void* result = next_;
  next_ = static_cast<std::byte*>(next_) + bytes;
  left_ -= bytes;
  return result;
}

}  // namespace cowtrace
