// SPDX-License-Identifier: Apache-2.0
// Events and answers to a trace file in memory. An item is a break, and the bytes are those of the
// file.
#include <memory>

#include "memory_trace.h"
#include "path.h"

namespace cowtrace::bench {
namespace {

class TraceWrite : public Work {
 public:
  explicit TraceWrite(std::uint64_t size) : input_(size) {}

  void prepare() override { file_ = std::make_unique<MemoryFile>(); }

  Done run() override {
    input_.write(*file_);
    return {input_.breaks(), file_->size()};
  }

 private:
  TraceInput input_;
  std::unique_ptr<MemoryFile> file_;
};

}  // namespace

Path trace_write() {
  return path<TraceWrite>("trace.write");
}

}  // namespace cowtrace::bench
