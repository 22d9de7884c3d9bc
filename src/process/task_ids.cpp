// SPDX-License-Identifier: Apache-2.0
#include "process/task_ids.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "process/file_read.h"

namespace cowtrace::process {

namespace {

// The number behind "\nNAME:\t".
Result<pid_t> status_field(pid_t tid, std::string_view field) {
  const std::string path = fmt::format("/proc/{}/status", tid);
  auto text = read_whole_file(path, 64 * 1024);
  if (!text) return tl::unexpected(text.error());
  // The name above it is the task's own choice, but the kernel escapes its newlines.
  const std::size_t at = text->find(field);
  pid_t number = 0;
  if (at == std::string::npos) return fail(path, "a field is missing");
  const char* first = text->data() + at + field.size();
  if (std::from_chars(first, text->data() + text->size(), number).ec != std::errc{})
    return fail(path, "a field is no number");
  return number;
}

}  // namespace

Result<pid_t> thread_group(pid_t tid) {
  return status_field(tid, "\nTgid:\t");
}

pid_t tracer_of(pid_t tid) {
  return status_field(tid, "\nTracerPid:\t").value_or(0);
}

}  // namespace cowtrace::process
