// SPDX-License-Identifier: Apache-2.0
// What a trace file is made of, and one in memory.
#pragma once

#include <stdexcept>
#include <vector>

#include "analysis/join.h"
#include "events.h"
#include "family.h"
#include "support/memory_file.h"
#include "trace/recording_resolver.h"
#include "trace/writer.h"

namespace cowtrace::bench {

using test::MemoryFile;

class TraceInput {
 public:
  explicit TraceInput(std::uint64_t breaks) : family_(breaks), events_(events_of(family_.session())) {
    trace::RecordingResolver recording(family_.names);
    // Without the names of functions: there are as many of these as the program has, however many
    // breaks there are.
    analysis::JoinOptions options;
    options.name_sites = false;
    static_cast<void>(analysis::join(family_.session(), recording, options));
    answers_ = recording.take();
  }

  [[nodiscard]] std::uint64_t breaks() const { return family_.session().capture.events; }

  void write(const MemoryFile& file) const {
    trace::Writer writer(file.writer(), "memory", "0.0.0-test");
    writer.begin(family_.session().capture);
    for (const model::Event& event : events_) writer.add(event);
    if (const Status written = writer.finish(family_.session(), answers_); !written) throw std::runtime_error(written.error().message());
  }

 private:
  Family family_;
  std::vector<model::Event> events_;
  trace::Answers answers_;
};

}  // namespace cowtrace::bench
