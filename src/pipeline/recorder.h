// SPDX-License-Identifier: Apache-2.0
// The trace files of one run: they take in what happens while it happens, and what it meant at the
// end.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "model/facts.h"
#include "model/session.h"
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
  // Completes all of them. The first failure is returned.
  Status finish(const model::Session& session, const model::Facts& facts);

 private:
  std::vector<std::unique_ptr<trace::Writer>> writers_;
};

}  // namespace cowtrace::pipeline
