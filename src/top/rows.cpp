// SPDX-License-Identifier: Apache-2.0
#include "top/rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/text_width.h"
#include "base/units.h"

namespace cowtrace::top {
namespace {

constexpr std::size_t kFrames = 4;         // of a site in one line
constexpr std::size_t kLongestFrame = 60;  // columns

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

std::string label_of(const analysis::LiveProcess& process) {
  return fmt::format("{} {}", process.pid, printable(process.command));
}

std::string label_of(const analysis::LiveObject& object) {
  return printable(object.name);
}

std::string label_of(const analysis::LiveType& type) {
  return printable(type.name);
}

std::string label_of(const model::StackFrame& frame) {
  const std::string function = printable(frame.function);
  if (!frame.file.empty()) {
    const std::string file = printable(base_name(frame.file));
    return frame.line != 0 ? fmt::format("{} ({}:{})", function, file, frame.line)
                           : fmt::format("{} ({})", function, file);
  }
  return frame.module.empty()
             ? function
             : fmt::format("{} ({})", function, printable(base_name(frame.module)));
}

std::string label_of(const analysis::LiveSite& site) {
  if (site.pending) return "(name pending)";
  if (site.frames.empty()) return "(no stack)";
  std::string label;
  for (std::size_t i = 0; i < std::min(kFrames, site.frames.size()); ++i)
    label += (i == 0 ? "" : " <- ") + fitted(label_of(site.frames[i]), kLongestFrame);
  if (site.frames.size() > kFrames) label += " <- ...";
  return label;
}

std::string label_of_cause(std::uint32_t id) {
  return std::string(model::kCauseNames[std::min<std::size_t>(id, model::kCauseNames.size() - 1)]);
}

std::string main_cause(const analysis::LiveRow& row) {
  return row.main_cause ? std::string(model::name(*row.main_cause)) : "-";
}

}  // namespace cowtrace::top
