// SPDX-License-Identifier: Apache-2.0
// The comparison for scripts: schema "cowtrace.diff/1". Every row is there.
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "report/diff.h"
#include "report/diff_words.h"
#include "report/json_stream.h"

namespace cowtrace::report {

using Json = nlohmann::ordered_json;

namespace {

using analysis::Change;
using analysis::ChangedRow;
using analysis::Section;

Json text_or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

Json spread_json(const analysis::Spread& spread) {
  return {{"median", spread.median}, {"min", spread.least}, {"max", spread.most}};
}

Json change_json(const Change& change) {
  return {{"before", spread_json(change.before)},
          {"after", spread_json(change.after)},
          {"difference", change.difference},
          {"noise", change.noise ? Json(*change.noise) : Json(nullptr)}};
}

Json change_json(const std::optional<Change>& change) {
  return change ? change_json(*change) : Json(nullptr);
}

Json runs_json(const std::vector<analysis::RunFigures>& runs) {
  Json list = Json::array();
  for (const analysis::RunFigures& run : runs) {
    const model::CaptureInfo& capture = run.capture;
    list.push_back({{"trace", run.trace},
                    {"complete", run.complete},
                    {"command", capture.command},
                    {"backend", capture.backend},
                    {"kernel", capture.kernel},
                    {"arch", capture.arch},
                    {"detail", capture.detail},
                    {"snapshot", capture.snapshot},
                    {"pythons", run.pythons},
                    {"duration_ns", capture.duration_ns},
                    {"lost_events", capture.lost_events},
                    {"processes", run.processes},
                    {"breaks", run.breaks},
                    {"copied_bytes", run.copied_bytes}});
  }
  return list;
}

Json named_frame_json(const model::StackFrame& frame) {
  return {{"kind", frame.python ? "python" : "native"},
          {"function", frame.function},
          {"file", text_or_null(frame.file)},
          {"line", frame.line != 0 ? Json(frame.line) : Json(nullptr)},
          {"module", text_or_null(frame.module)}};
}

Json name_json(Section section, const analysis::RowName& name) {
  switch (section) {
    case Section::Mechanisms:
      return {{"mechanism", name.name}};
    case Section::Causes:
      return {{"cause", name.name}};
    case Section::Phases:
      return {{"phase", name.name}};
    case Section::Objects:
      return {{"name", name.name}, {"type", text_or_null(name.type)}, {"kind", name.kind}};
    case Section::Types:
      return {{"type", text_or_null(name.name)}, {"kind", name.kind}};
    case Section::Mappings:
      return {{"label", text_or_null(name.name)}};
    case Section::Roles:
      return {{"command", name.name}, {"generation", name.generation}};
    case Section::Sites:
      break;
  }
  Json stack = Json::array();
  for (const model::StackFrame& frame : name.stack) stack.push_back(named_frame_json(frame));
  return {{"stack", stack}};
}

Json row_json(Section section, const ChangedRow& row) {
  Json json = name_json(section, row.name);
  if (section == Section::Mechanisms) {
    json["count"] = change_json(row.breaks);
    json["bytes"] = change_json(row.bytes);
    return json;
  }
  if (section == Section::Objects || section == Section::Types)
    json["objects"] = change_json(row.items);
  if (section == Section::Roles) json["processes"] = change_json(row.items);
  json["breaks"] = change_json(row.breaks);
  json["copied_bytes"] = change_json(row.bytes);
  return json;
}

Json advice_change_json(const analysis::AdviceChange& change) {
  const auto side = [](std::uint64_t runs, const std::optional<analysis::Spread>& saves) {
    return Json{{"runs", runs},
                {"saves_at_most_bytes", saves ? spread_json(*saves) : Json(nullptr)}};
  };
  return {{"id", change.id},
          {"before", side(change.runs_before, change.saves_before)},
          {"after", side(change.runs_after, change.saves_after)}};
}

struct Key {
  Section section;
  const char* key;
};
constexpr Key kKeys[] = {{Section::Mechanisms, "mechanisms"}, {Section::Causes, "causes"},
                         {Section::Phases, "phases"},         {Section::Objects, "objects"},
                         {Section::Types, "types"},           {Section::Sites, "sites"},
                         {Section::Mappings, "mappings"},     {Section::Roles, "roles"}};

}  // namespace

Status write_diff_json(const analysis::Comparison& comparison, const ReportOptions& options,
                       std::ostream& out) {
  JsonStream json(out);
  json.member("schema", "cowtrace.diff/1");
  json.member("version", options.version);
  json.member("headline", diff_headline(comparison));
  json.member("warnings", comparison.warnings);
  json.member("noise", {{"known", comparison.noise_known}, {"rule", analysis::kNoiseRule}});
  json.member("before", runs_json(comparison.before));
  json.member("after", runs_json(comparison.after));
  json.member("totals", {{"breaks", change_json(comparison.breaks)},
                         {"copied_bytes", change_json(comparison.copied_bytes)},
                         {"inherited_bytes", change_json(comparison.inherited_bytes)},
                         {"still_shared_bytes", change_json(comparison.still_shared_bytes)},
                         {"processes", change_json(comparison.processes)}});
  for (const Key& one : kKeys)
    json.list(one.key, [&](auto&& put) {
      for (const ChangedRow& row : comparison.of(one.section)) put(row_json(one.section, row));
    });
  json.list("advice", [&](auto&& put) {
    for (const analysis::AdviceChange& change : comparison.advice) put(advice_change_json(change));
  });
  json.finish();
  if (!out) return fail("the JSON of the diff is incomplete", "its file did not take all of it");
  return {};
}

}  // namespace cowtrace::report
