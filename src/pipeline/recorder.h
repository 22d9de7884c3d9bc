// SPDX-License-Identifier: Apache-2.0
// The trace files of one run: they take in what happens while it happens, and what it meant at the end.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "model/session.h"
#include "trace/recording_resolver.h"
#include "trace/writer.h"

namespace cowtrace::pipeline {

class Recorder {
 public:
  // `version` is cowtrace's own.
  void add_file(Fd fd, const std::string& path, const std::string& version) {
    writers_.push_back(std::make_unique<trace::Writer>(std::move(fd), path, version));
    writers_.back()->announce();
  }
  [[nodiscard]] bool active() const { return !writers_.empty(); }

  void begin(const model::CaptureInfo& info) {
    for (const auto& writer : writers_) writer->begin(info);
  }
  void add(const model::Event& event) {
    for (const auto& writer : writers_) writer->add(event);
  }
  void flush_if_due(std::uint64_t now_ns) {
    for (const auto& writer : writers_) writer->flush_if_due(now_ns);
  }
  // `session` was joined with `resolver`, which is asked here what reports ask besides, whether
  // there are reports or not: a trace holds the answers to all that any format asks. The first
  // failure is returned.
  Status finish(const model::Session& session, trace::RecordingResolver& resolver);

 private:
  std::vector<std::unique_ptr<trace::Writer>> writers_;
};

}  // namespace cowtrace::pipeline
