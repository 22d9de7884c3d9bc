// SPDX-License-Identifier: Apache-2.0
// The packets of a Perfetto trace, written as they are made. What recurs is sent once, in the first
// packet that refers to it.
#pragma once

#include <perfetto_trace.pb.h>

#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "report/stack_names.h"

namespace cowtrace::report {

namespace pb = perfetto::protos;

class PerfettoPackets {
 public:
  explicit PerfettoPackets(std::ostream& out) : out_(out) {}

  // A new packet; the one before it is complete.
  pb::TracePacket& add();
  // The event of a new packet: an instant on `track`.
  pb::TrackEvent& add_instant(std::uint64_t t_ns, std::uint64_t track, std::string_view name);

  // Each of the packet that was added last.
  void annotate(std::string_view key, std::uint64_t value) {
    annotation(key).set_uint_value(value);
  }
  void annotate_signed(std::string_view key, std::int64_t value) {
    annotation(key).set_int_value(value);
  }
  void annotate_address(std::string_view key, std::uint64_t value) {
    annotation(key).set_pointer_value(value);
  }
  // `value` is printable. Nothing if it is empty.
  void annotate(std::string_view key, const std::string& value);
  // `number` is one of this trace's; its frames, innermost first, are asked for once.
  template <typename Frames>
  void call_stack(std::uint32_t number, Frames&& frames) {
    if (number >= stack_sent_.size()) stack_sent_.resize(number + 1);
    if (!stack_sent_[number]) send_stack(number, frames());
    stack_sent_[number] = true;
    packet_->mutable_track_event()->set_callstack_iid(number + 1);
  }

  void finish() { flush(); }

 private:
  // From text to number; 0 is "none".
  using Table = std::unordered_map<std::string, std::uint64_t>;

  pb::DebugAnnotation& annotation(std::string_view key);
  // The number of `text`, after `add` was called with it if it is new.
  template <typename Add>
  static std::uint64_t intern(Table& table, std::string_view text, Add&& add);
  void send_stack(std::uint32_t number, const std::vector<NamedFrame>& frames);
  std::uint64_t frame(const NamedFrame& frame);
  void flush();

  std::ostream& out_;
  pb::Trace pending_;
  pb::TracePacket* packet_ = nullptr;  // of `pending_`
  bool started_ = false;
  Table event_names_, annotation_names_, strings_, functions_, sources_;
  std::map<NamedFrame, std::uint64_t> frames_;
  std::vector<bool> stack_sent_;
};

}  // namespace cowtrace::report
