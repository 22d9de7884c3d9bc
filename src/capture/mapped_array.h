// SPDX-License-Identifier: Apache-2.0
// The elements of a BPF array that was made with BPF_F_MMAPABLE, in memory that its programs and we
// share.
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "base/result.h"

namespace cowtrace::capture {

template <typename Element>
class MappedArray {
 public:
  MappedArray() = default;
  // Of the BPF map `fd`, which has `count` elements of this size; `what` is for messages.
  [[nodiscard]] static Result<MappedArray> map(int fd, std::size_t count, const std::string& what) {
    void* memory =
        mmap(nullptr, count * sizeof(Element), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) return fail_errno("cannot map " + what, errno);
    MappedArray mapped;
    mapped.elements_ = {static_cast<Element*>(memory), count};
    return mapped;
  }
  MappedArray(MappedArray&& other) noexcept : elements_(std::exchange(other.elements_, {})) {}
  MappedArray& operator=(MappedArray&& other) noexcept {
    std::swap(elements_, other.elements_);
    return *this;
  }
  ~MappedArray() {
    if (!elements_.empty()) munmap(elements_.data(), elements_.size_bytes());
  }

  [[nodiscard]] std::span<Element> all() const { return elements_; }

 private:
  std::span<Element> elements_;
};

}  // namespace cowtrace::capture
