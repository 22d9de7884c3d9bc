// SPDX-License-Identifier: Apache-2.0
// One ring buffer of the kernel's, read in pieces that end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

struct ring_buffer;

namespace cowtrace::capture {

// How much of a ring one drain() may take: as much as fits into it, and so all that was there when
// it began. Processes may well write faster than we read: without a bound it would never end, and
// whatever it is told would pile up.
class RingShare {
 public:
  explicit RingShare(std::uint64_t capacity) : capacity_(capacity) {}

  void begin() { left_ = capacity_; }
  // A record of `size` bytes was taken. False: it was the last one.
  [[nodiscard]] bool take(std::uint64_t size) {
    constexpr std::uint64_t kHeader = 8,
                            kAligned = 8;  // BPF_RINGBUF_HDR_SZ, and what the kernel rounds up to
    const std::uint64_t room = kHeader + (size + kAligned - 1) / kAligned * kAligned;
    left_ -= room < left_ ? room : left_;
    return left_ != 0;
  }

 private:
  std::uint64_t capacity_;  // bytes
  std::uint64_t left_ = 0;
};

class Ring {
 public:
  using Take = std::function<void(std::span<const std::byte>)>;

  // Of the BPF map `fd`, which holds `capacity` bytes; `take` gets each record. False with errno if
  // it cannot be mapped.
  [[nodiscard]] bool map(int fd, std::uint64_t capacity, Take take);
  // For epoll: readable when the kernel was told to wake us.
  [[nodiscard]] int poll_fd() const;
  // Hands all records that are there now to `take`, and maybe some that come meanwhile. Returns how
  // many.
  std::uint64_t drain();

 private:
  struct Free {
    void operator()(ring_buffer* ring) const;
  };
  // Behind a pointer, for libbpf keeps its address.
  struct Reader {
    Take take;
    RingShare share;
    std::uint64_t records = 0;
  };
  static int on_record(void* reader, void* data, std::size_t size);

  std::unique_ptr<Reader> reader_;
  std::unique_ptr<ring_buffer, Free> ring_;
};

}  // namespace cowtrace::capture
