// SPDX-License-Identifier: Apache-2.0
// What a trace file is made of, and one in memory.
#pragma once

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "analysis/join.h"
#include "base/fd.h"
#include "events.h"
#include "family.h"
#include "trace/recording_resolver.h"
#include "trace/writer.h"

namespace cowtrace::bench {

class MemoryFile {
 public:
  [[nodiscard]] Fd writer() const { return Fd(::dup(file_.get())); }
  [[nodiscard]] std::uint64_t size() const {
    struct stat about {};
    ::fstat(file_.get(), &about);
    return static_cast<std::uint64_t>(about.st_size);
  }
  [[nodiscard]] std::string content() const {
    std::string bytes(size(), '\0');
    if (::pread(file_.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) throw std::runtime_error("cannot read a trace back");
    return bytes;
  }

 private:
  Fd file_{::memfd_create("trace", MFD_CLOEXEC)};
};

class TraceInput {
 public:
  explicit TraceInput(std::uint64_t breaks) : family_(breaks), events_(events_of(family_.session())) {
    trace::RecordingResolver recording(family_.names);
    static_cast<void>(analysis::join(family_.session(), recording));
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
