// SPDX-License-Identifier: Apache-2.0
#include "report/frame_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "report/text_layout.h"

namespace cowtrace::report {

namespace {

std::string place(const model::StackFrame& frame) {
  if (!frame.file.empty())
    return frame.line != 0 ? printable(frame.file) + ':' + std::to_string(frame.line)
                           : printable(frame.file);
  if (frame.why_unnamed.empty()) return printable(frame.module);
  return printable(frame.why_unnamed);
}

// "write_config (app.py:15)"; of a long path the end is kept.
std::string described_python(const model::StackFrame& frame, std::size_t room) {
  const std::string function = printable(frame.function);
  const std::string where = place(frame);
  if (where.empty()) return fitted(function, room);
  constexpr std::size_t kAround = 3;  // " (" and ")"
  const std::size_t for_function = std::min(
      columns(function), std::max(room / 2, room - std::min(room, columns(where) + kAround)));
  const std::size_t left = room - std::min(room, for_function + kAround);
  return fmt::format("{} ({})", fitted(function, for_function), fitted(where, left, Cut::Start));
}

// Where nothing but the module tells functions apart, it is the last to be cut.
std::string in_module(const std::string& function, std::string_view module, std::size_t room) {
  constexpr std::size_t kLeast = 8;  // of the function
  const std::string_view name = module.substr(module.rfind('/') + 1);
  const std::size_t for_function =
      std::min(columns(function), std::max(kLeast, room - std::min(room, 2 + columns(name))));
  return fmt::format("{}  {}", fitted(function, for_function),
                     fitted(name, room - std::min(room, 2 + for_function)));
}

}  // namespace

std::string described(const model::StackFrame& frame, std::size_t room) {
  if (frame.python) return described_python(frame, room);
  const std::string where = place(frame);
  std::string function = printable(frame.function);
  if (where.empty()) return fitted(function, room);
  // No text has more columns than bytes.
  if (function.size() + 2 + where.size() <= room || columns(function) + 2 + columns(where) <= room)
    return std::move(function.append("  ").append(where));
  if (frame.file.empty() && !frame.module.empty())
    return in_module(function, printable(frame.module), room);
  const std::size_t half = room / 2 - 1;
  const std::size_t for_function =
      std::min(columns(function), std::max(half, room - 2 - std::min(room - 2, columns(where))));
  return fitted(function, for_function) + "  " + fitted(where, room - 2 - for_function, Cut::Start);
}

}  // namespace cowtrace::report
