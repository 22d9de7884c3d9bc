// SPDX-License-Identifier: Apache-2.0
// A trace file to a session and a resolver. An item is a break, and the bytes are those of the
// file.
#include <string>

#include "memory_trace.h"
#include "path.h"
#include "trace/reader.h"

namespace cowtrace::bench {
namespace {

class TraceRead : public Work {
 public:
  explicit TraceRead(std::uint64_t size) {
    const TraceInput input(size);
    const MemoryFile file;
    input.write(file);
    bytes_ = file.content();
    breaks_ = input.breaks();
  }

  void prepare() override { trace_ = {}; }

  Done run() override {
    auto trace = trace::read_bytes(bytes_, "memory");
    if (!trace) throw std::runtime_error(trace.error().message());
    trace_ = std::move(*trace);
    if (!trace_.complete || trace_.session->capture.events != breaks_)
      throw std::runtime_error("the trace was read in part only");
    return {breaks_, bytes_.size()};
  }

 private:
  std::string bytes_;
  std::uint64_t breaks_ = 0;
  trace::Trace trace_;
};

}  // namespace

Path trace_read() {
  return path<TraceRead>("trace.read");
}

}  // namespace cowtrace::bench
