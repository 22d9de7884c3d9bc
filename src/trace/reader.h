// SPDX-License-Identifier: Apache-2.0
// Reads a trace file: the session as it was when the trace ended, and its facts. A file that was
// cut off, or whose writer was killed, gives what came before, without facts; its session says so
// in a note.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/facts.h"
#include "model/session.h"

namespace cowtrace::trace {

struct Trace {
  std::unique_ptr<model::Session> session;
  model::Facts facts;
  bool complete = false;
};

// Fails if it is no trace, or one of a newer format.
[[nodiscard]] Result<Trace> read_file(const std::string& path);

// The same of the content of a file; `path` is for messages.
[[nodiscard]] Result<Trace> read_bytes(std::string_view file, const std::string& path);

// The same of messages, each with its length before it, as they are in the frames of a file: for
// tests.
[[nodiscard]] Result<Trace> read_messages(std::string_view messages, const std::string& path);

}  // namespace cowtrace::trace
