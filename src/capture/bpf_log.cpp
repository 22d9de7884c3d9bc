// SPDX-License-Identifier: Apache-2.0
#include "capture/bpf_log.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <system_error>

#include "base/units.h"

namespace cowtrace::capture {
namespace {

// libbpf's callback has no argument of ours; captures are opened one at a time.
BpfLog* current = nullptr;

int collect(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG || current == nullptr) return 0;
  // For bug reports: all of it, with the verifier's logs.
  if (std::getenv("COWTRACE_BPF_LOG") != nullptr) {
    va_list again;
    va_copy(again, arguments);
    std::vfprintf(stderr, format, again);
    va_end(again);
  }
  // A verifier's log is one message; its reason is at its end.
  std::array<char, 1024> line{};
  va_list again;
  va_copy(again, arguments);
  const int size = std::vsnprintf(line.data(), line.size(), format, arguments);
  if (size >= static_cast<int>(line.size())) {
    std::string text(static_cast<std::size_t>(size), '\0');
    std::vsnprintf(text.data(), text.size() + 1, format, again);
    current->append(text);
  } else if (size > 0) {
    current->append(line.data());
  }
  va_end(again);
  return size;
}

}  // namespace

BpfLog::BpfLog() {
  current = this;
  libbpf_set_print(collect);
}

BpfLog::~BpfLog() {
  current = nullptr;
  libbpf_set_print(nullptr);
}

std::string BpfLog::reason(int number) const {
  const std::string errno_text =
      number == 0 ? "" : std::generic_category().message(std::abs(number));
  std::istringstream lines(text_);
  std::string line, before;
  // The verifier's reason stands before its sum.
  for (; std::getline(lines, line); before = line)
    if (line.rfind("processed ", 0) == 0 && !before.empty())
      return printable("the verifier refuses: " + before);
  lines.clear();
  lines.seekg(0);
  while (std::getline(lines, line))
    if (line.find("failed") != std::string::npos || line.find("BTF") != std::string::npos)
      return printable(line.rfind("libbpf: ", 0) == 0 ? line.substr(8) : line);
  return errno_text;
}

}  // namespace cowtrace::capture
