// SPDX-License-Identifier: Apache-2.0
// An array of zeros that takes memory only where it was written, however long it is.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace cowtrace {

template <typename T>
class LazyArray {
  static_assert(std::is_trivial_v<T>);

 public:
  LazyArray() = default;
  // Throws std::bad_alloc where there is no address space for it.
  explicit LazyArray(std::size_t size) : bytes_((size + 1) * sizeof(T)) {
    void* const memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    data_ = static_cast<T*>(memory);
  }
  LazyArray(LazyArray&& other) noexcept
      : bytes_(std::exchange(other.bytes_, 0)), data_(std::exchange(other.data_, nullptr)) {}
  LazyArray& operator=(LazyArray&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(data_, other.data_);
    return *this;
  }
  ~LazyArray() {
    if (data_ != nullptr) munmap(data_, bytes_);
  }

  [[nodiscard]] T& operator[](std::size_t i) { return data_[i]; }
  [[nodiscard]] const T& operator[](std::size_t i) const { return data_[i]; }
  [[nodiscard]] T* data() { return data_; }
  [[nodiscard]] const T* data() const { return data_; }

 private:
  std::size_t bytes_ = 0;
  T* data_ = nullptr;
};

}  // namespace cowtrace
