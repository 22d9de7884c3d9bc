// SPDX-License-Identifier: Apache-2.0
#include "report/formats.h"

#include <fmt/format.h>

#include <array>

#include "base/units.h"
#include "report/writers.h"

namespace cowtrace::report {

namespace {

constexpr std::array<Format, 9> kFormats = {{
    {".cow", "cow", false, nullptr},
    {".json", "json", false, &write_json},
    {".html", "html", false, &write_html},
    {".txt", "text", false, &write_text},
    {".folded", "folded", true, &write_folded},
    {".speedscope.json", "speedscope", true, &write_speedscope},
    {".pb.gz", "pprof", true, &write_pprof},
    {".pftrace", "perfetto", true, &write_perfetto},
    {".jsonl", "jsonl", true, &write_json_lines},
}};

// Of the formats for which `*only` is true, if it is given.
std::string list(std::string_view Format::*member, bool Format::*only = nullptr) {
  std::string text;
  for (const Format& format : kFormats) {
    if (only != nullptr && !(format.*only)) continue;
    if (!text.empty()) text += ", ";
    text += format.*member;
  }
  return text;
}

}  // namespace

std::span<const Format> formats() {
  return kFormats;
}

Result<const Format*> format_of_file(std::string_view path) {
  const Format* longest = nullptr;
  for (const Format& format : kFormats)
    if (path.ends_with(format.suffix) &&
        (longest == nullptr || format.suffix.size() > longest->suffix.size()))
      longest = &format;
  if (longest != nullptr) return longest;
  return fail(fmt::format("cannot write '{}'", printable(path)), "its suffix names no format",
              "use one of " + list(&Format::suffix));
}

Result<const Format*> format_named(std::string_view name) {
  for (const Format& format : kFormats)
    if (format.name == name) return &format;
  return fail(fmt::format("there is no format '{}'", printable(name)), "",
              "use one of " + list(&Format::name));
}

std::string filtered_suffixes() {
  return list(&Format::suffix, &Format::filtered);
}

}  // namespace cowtrace::report
