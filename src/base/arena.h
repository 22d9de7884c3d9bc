// SPDX-License-Identifier: Apache-2.0
// Memory for records that only accumulate: taken from the kernel in large pieces whose pages are
// all made at once (a fault for each page would cost more than the record in it), given back all
// together.
#pragma once

#include <cstddef>
#include <memory_resource>
#include <vector>

namespace cowtrace {

class Arena final : public std::pmr::memory_resource {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() override;

 private:
  struct Piece {
    void* memory;
    std::size_t size;
  };

  // Throws std::bad_alloc.
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void*, std::size_t, std::size_t) override {}
  [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

  std::vector<Piece> pieces_;
  void* next_ = nullptr;
  std::size_t left_ = 0;
};

}  // namespace cowtrace
