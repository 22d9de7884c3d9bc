// SPDX-License-Identifier: Apache-2.0
#include "report/incomplete.h"

#include <fmt/format.h>
#include <perfetto_trace.pb.h>
#include <profile.pb.h>

#include <array>
#include <sstream>

#include "report/gzip.h"

namespace cowtrace::report {

namespace {

// Without a character that one of the formats would have to escape.
constexpr std::string_view kWords =
    "this report is incomplete, for cowtrace was ended or could not write before it was whole";

std::string text() {
  return fmt::format("cowtrace: {}\n", kWords);
}

// Of a schema of its own: whoever asks a report for its totals must not find a report.
std::string json() {
  return fmt::format("{{\"schema\": \"cowtrace.incomplete/1\", \"incomplete\": \"{}\"}}\n", kWords);
}

std::string json_lines() {
  return fmt::format(
      "{{\"type\": \"incomplete\", \"schema\": \"cowtrace.events/1\", \"incomplete\": \"{}\"}}\n",
      kWords);
}

std::string html() {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>cowtrace: "
      "incomplete</title></head>\n"
      "<body><p>cowtrace: {}.</p></body>\n</html>\n",
      kWords);
}

std::string folded() {
  return fmt::format("(cowtrace: {}) 1\n", kWords);
}

std::string speedscope() {
  return fmt::format(
      "{{\"$schema\": \"https://www.speedscope.app/file-format-schema.json\", \"exporter\": "
      "\"cowtrace\", "
      "\"name\": \"cowtrace: {0}\", \"shared\": {{\"frames\": [{{\"name\": \"{0}\"}}]}}, "
      "\"profiles\": [{{\"type\": \"sampled\", "
      "\"name\": \"incomplete\", \"unit\": \"none\", \"startValue\": 0, \"endValue\": 1, "
      "\"samples\": [[0]], \"weights\": [1]}}]}}\n",
      kWords);
}

std::string pprof() {
  perftools::profiles::Profile profile;
  for (const std::string& string :
       {std::string(), std::string("breaks"), std::string("count"), text()})
    profile.add_string_table(string);
  auto& type = *profile.add_sample_type();
  type.set_type(1);
  type.set_unit(2);
  profile.add_comment(3);
  std::ostringstream out;
  GzipWriter gzip(out);
  gzip.write(profile.SerializeAsString());
  return gzip.finish() ? out.str() : text();
}

std::string perfetto() {
  perfetto::protos::Trace trace;
  auto& track = *trace.add_packet()->mutable_track_descriptor();
  track.set_uuid(1);
  track.set_name(text());
  return trace.SerializeAsString();
}

struct Form {
  std::string_view format;
  std::string (*make)();
};

constexpr std::array<Form, 8> kForms = {{{"text", text},
                                         {"json", json},
                                         {"html", html},
                                         {"jsonl", json_lines},
                                         {"folded", folded},
                                         {"speedscope", speedscope},
                                         {"pprof", pprof},
                                         {"perfetto", perfetto}}};

}  // namespace

std::string incomplete(std::string_view format) {
  for (const Form& form : kForms)
    if (form.format == format) return form.make();
  return {};
}

}  // namespace cowtrace::report
