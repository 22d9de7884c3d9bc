// SPDX-License-Identifier: Apache-2.0
#include "report/diff.h"

#include <fmt/format.h>

#include <array>
#include <string>

#include "base/units.h"

namespace cowtrace::report {

namespace {

constexpr std::array<DiffFormat, 3> kDiffFormats = {{
    {".txt", "text", &write_diff_text},
    {".json", "json", &write_diff_json},
    {".html", "html", &write_diff_html},
}};

std::string list(std::string_view DiffFormat::*member) {
  std::string text;
  for (const DiffFormat& format : kDiffFormats) {
    if (!text.empty()) text += ", ";
    text += format.*member;
  }
  return text;
}

}  // namespace

std::span<const DiffFormat> diff_formats() {
  return kDiffFormats;
}

Result<const DiffFormat*> diff_format_of_file(std::string_view path) {
  // ".speedscope.json" is not JSON of ours.
  constexpr std::string_view kSpeedscope = ".speedscope.json";
  for (const DiffFormat& format : kDiffFormats)
    if (path.ends_with(format.suffix) && !path.ends_with(kSpeedscope)) return &format;
  return fail(fmt::format("cannot write '{}'", printable(path)),
              "its suffix names no format of a diff", "use one of " + list(&DiffFormat::suffix));
}

Result<const DiffFormat*> diff_format_named(std::string_view name) {
  for (const DiffFormat& format : kDiffFormats)
    if (format.name == name) return &format;
  return fail(fmt::format("there is no format '{}' of a diff", printable(name)), "",
              "use one of " + list(&DiffFormat::name));
}

}  // namespace cowtrace::report
