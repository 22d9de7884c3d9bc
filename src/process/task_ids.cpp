// SPDX-License-Identifier: Apache-2.0
#include "process/task_ids.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "process/file_read.h"

namespace cowtrace::process {

Result<pid_t> thread_group(pid_t tid) {
  const std::string path = fmt::format("/proc/{}/status", tid);
  auto text = read_whole_file(path, 64 * 1024);
  if (!text) return tl::unexpected(text.error());
  // The name above it is the task's own choice, but the kernel escapes its newlines.
  constexpr std::string_view kField = "\nTgid:\t";
  const std::size_t at = text->find(kField);
  pid_t process = 0;
  if (at == std::string::npos) return fail(path, "no Tgid");
  const char* first = text->data() + at + kField.size();
  if (std::from_chars(first, text->data() + text->size(), process).ec != std::errc{})
    return fail(path, "no Tgid");
  return process;
}

}  // namespace cowtrace::process
