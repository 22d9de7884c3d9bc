// SPDX-License-Identifier: Apache-2.0
// Writes a trace file while the trace goes on. What was flushed can be read even if this program
// dies.
#pragma once

#include <trace.pb.h>

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "model/facts.h"
#include "model/session.h"
#include "trace/resolution_columns.h"
#include "trace/strings.h"
#include "trace/zstd_frames.h"

namespace cowtrace::trace {

// Of files that are written; older ones can be read. It is one higher for each mechanism, cause and
// kind of object that format 2 did not have at first. A change that older readers would
// misunderstand raises both numbers.
inline constexpr std::uint32_t kFormat =
    2 + (model::kMechanisms - 11) + (model::kCauses - 9) + (model::kObjectKinds - 4);
inline constexpr std::uint32_t kReadableSince = 2;

class Writer {
 public:
  // `version` is cowtrace's own. `path` is for messages.
  Writer(Fd fd, std::string path, std::string version)
      : frames_(std::move(fd), std::move(path)), version_(std::move(version)) {}

  // Before that: what is read as a trace that is incomplete, should it stay all there is. Where it
  // has no room, the file stays empty.
  void announce();
  // What is known of the capture when it begins.
  void begin(const model::CaptureInfo& info);
  void add(const model::Event& event);
  // To be called from time to time: writes what has come, once that is old or much.
  void flush_if_due(std::uint64_t now_ns);
  // The end: the session as it is when all is known, and its facts. The first failure of all is
  // returned; after it nothing was written.
  Status finish(const model::Session& session, const model::Facts& facts);

 private:
  void put_header(const model::CaptureInfo& info);
  void flush();
  void write(const Block& block);

  FrameWriter frames_;
  std::string version_;
  Status status_;
  Block block_;
  StringTable strings_;
  ResolutionEncoder resolutions_;
  std::size_t rows_ = 0;  // in block_
  std::uint64_t flushed_ns_ = 0;
  std::string bytes_;
};

}  // namespace cowtrace::trace
