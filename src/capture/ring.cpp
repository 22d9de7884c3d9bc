// SPDX-License-Identifier: Apache-2.0
#include "capture/ring.h"

#include <bpf/libbpf.h>

#include <utility>

namespace cowtrace::capture {

void Ring::Free::operator()(ring_buffer* ring) const {
  ring_buffer__free(ring);
}

bool Ring::map(int fd, std::uint64_t capacity, Take take) {
  reader_ = std::make_unique<Reader>(Reader{std::move(take), RingShare(capacity)});
  ring_.reset(ring_buffer__new(fd, on_record, reader_.get(), nullptr));
  return ring_ != nullptr;
}

int Ring::poll_fd() const {
  return ring_buffer__epoll_fd(ring_.get());
}

// libbpf takes records until there are none, or until one of them is answered by a number below 0,
// which counts as taken (ringbuf_process_ring() in ringbuf.c of 1.1).
int Ring::on_record(void* reader, void* data, std::size_t size) {
  auto& self = *static_cast<Reader*>(reader);
  self.take({static_cast<const std::byte*>(data), size});
  ++self.records;
  return self.share.take(size) ? 0 : -1;
}

std::uint64_t Ring::drain() {
  reader_->share.begin();
  reader_->records = 0;
  static_cast<void>(ring_buffer__consume(ring_.get()));
  return reader_->records;
}

}  // namespace cowtrace::capture
