// SPDX-License-Identifier: Apache-2.0
// What a trace file is made of, and one in memory.
#pragma once

#include <stdexcept>
#include <vector>

#include "analysis/resolve.h"
#include "events.h"
#include "family.h"
#include "support/memory_file.h"
#include "trace/writer.h"

namespace cowtrace::bench {

using test::MemoryFile;

class TraceInput {
 public:
  explicit TraceInput(std::uint64_t breaks)
      : family_(breaks), events_(events_of(family_.session())) {
    // Without the names of functions: there are as many of these as the program has, however many
    // breaks there are.
    analysis::ResolveOptions options;
    options.name_stacks = false;
    facts_ = analysis::resolve(family_.session(), family_.names, options);
  }

  [[nodiscard]] std::uint64_t breaks() const { return family_.session().capture.events; }

  void write(const MemoryFile& file) const {
    trace::Writer writer(file.writer(), "memory", "0.0.0-test");
    writer.begin(family_.session().capture);
    for (const model::Event& event : events_) writer.add(event);
    if (const Status written = writer.finish(family_.session(), facts_); !written)
      throw std::runtime_error(written.error().message());
  }

 private:
  Family family_;
  std::vector<model::Event> events_;
  model::Facts facts_;
};

}  // namespace cowtrace::bench
