// SPDX-License-Identifier: Apache-2.0
// Records of a ring buffer to events. An item is a record; stacks are among them.
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "abi/events.h"
#include "base/units.h"
#include "capture/decoder.h"
#include "events.h"
#include "family.h"
#include "path.h"

namespace cowtrace::bench {
namespace {

cowtrace_header header(std::size_t size, __u16 kind, std::uint64_t time_ns, std::int32_t pid) {
  return {static_cast<__u32>(size), kind, 0, pid, pid, time_ns};
}

cowtrace_resolution raw(const model::Resolution& event) {
  cowtrace_resolution made{};
  made.header = header(sizeof(made), COWTRACE_EVENT_RESOLUTION, event.time_ns, event.pid);
  made.address = event.address;
  made.ip = event.ip;
  made.old_pte = event.old_frame * kPageSize;
  made.new_pte = event.new_frame * kPageSize;
  made.old_level = made.new_level = 1;
  made.stack = event.stack.value;
  made.mapping = event.mapping.value;
  made.space = event.space.value;
  made.latency_ns = event.latency_ns;
  made.window_size = COWTRACE_WINDOW;
  return made;
}

cowtrace_stack raw(const model::Stack& stack) {
  cowtrace_stack made{};
  made.header = header(COWTRACE_STACK_BYTES(0), COWTRACE_EVENT_STACK, 0, 1);
  made.hash = stack.hash.value;
  made.space = stack.space.value;
  made.depth = static_cast<__u16>(stack.frames.size());
  std::memcpy(made.ip, stack.frames.data(), stack.frames.size() * sizeof(made.ip[0]));
  return made;
}

class Decode : public Work {
 public:
  explicit Decode(std::uint64_t size) {
    for (const model::Event& event : events_of(Family(size).session())) {
      if (const auto* resolution = std::get_if<model::Resolution>(&event)) add(raw(*resolution));
      if (const auto* stack = std::get_if<model::Stack>(&event)) add(raw(*stack));
    }
  }

  Done run() override {
    Done done;
    std::span<const std::byte> rest = bytes_;
    while (!rest.empty()) {
      if (const auto event = capture::decode(rest); !event)
        throw std::runtime_error(event.error().message());
      __u32 size;
      std::memcpy(&size, rest.data(), sizeof(size));
      rest = rest.subspan(size);
      ++done.items;
    }
    done.bytes = bytes_.size();
    return done;
  }

 private:
  template <typename Raw>
  void add(const Raw& record) {
    const auto bytes = std::as_bytes(std::span(&record, 1)).first(record.header.size);
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }

  std::vector<std::byte> bytes_;
};

}  // namespace

Path decode() {
  return path<Decode>("decode");
}

}  // namespace cowtrace::bench
