// SPDX-License-Identifier: Apache-2.0
// The outer layer of a trace file: zstd frames one after the other. Each is whole or it does not
// count, so a file that was cut off has everything up to its last whole frame.
#pragma once

#include <sys/types.h>
#include <zstd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace cowtrace::trace {

inline constexpr std::size_t kLargestFrame = std::size_t{256} << 20;  // bytes, decompressed

class FrameWriter {
 public:
  // Writes at the end of `fd`, which may be a pipe. `path` is for messages.
  FrameWriter(Fd fd, std::string path);

  // One frame; nothing of it stays in this program. After a failure nothing more is written, and
  // the file ends with the last whole frame.
  Status write(std::string_view bytes);
  // The file begins anew. Until the next frame is written it is what it was.
  void restart();

 private:
  Status put(std::string_view frame);

  struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  Fd fd_;
  std::string path_;
  std::unique_ptr<ZSTD_CCtx, Free> context_;
  std::string compressed_;
  off_t written_ = 0;  // by whole frames
  off_t before_ = 0;   // size of the file that is written over
  bool failed_ = false;
};

class FrameReader {
 public:
  explicit FrameReader(std::string_view file) : left_(file) {}

  // The next frame, decompressed; empty at the end and from the first frame on that is not whole,
  // not intact, or larger than a trace's could be.
  [[nodiscard]] std::string_view next();
  // Bytes that are left behind the last whole frame; 0: the file ends where a frame ends.
  [[nodiscard]] std::size_t left() const { return left_.size(); }

 private:
  std::string_view left_;
  std::string bytes_;
};

}  // namespace cowtrace::trace
