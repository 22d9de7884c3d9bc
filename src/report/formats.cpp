// SPDX-License-Identifier: Apache-2.0
#include "report/formats.h"

#include <fmt/format.h>

#include <array>

#include "base/units.h"
#include "report/folded.h"
#include "report/html.h"
#include "report/json.h"
#include "report/jsonl.h"
#include "report/perfetto.h"
#include "report/pprof.h"
#include "report/speedscope.h"
#include "report/text.h"

namespace cowtrace::report {

namespace {

template <typename Made>
std::unique_ptr<Reporter> make(const ReportOptions& options) {
  return std::make_unique<Made>(options);
}

constexpr std::array<Format, 9> kFormats = {{
    {".cow", "cow", false, nullptr},
    {".json", "json", false, &make<JsonReporter>},
    {".html", "html", false, &make<HtmlReporter>},
    {".txt", "text", false, &make<TextReporter>},
    {".folded", "folded", true, &make<FoldedReporter>},
    {".speedscope.json", "speedscope", true, &make<SpeedscopeReporter>},
    {".pb.gz", "pprof", true, &make<PprofReporter>},
    {".pftrace", "perfetto", true, &make<PerfettoReporter>},
    {".jsonl", "jsonl", true, &make<JsonLinesReporter>},
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
