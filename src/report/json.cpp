// SPDX-License-Identifier: Apache-2.0
// The report for scripts: schema "cowtrace.report/1" (docs/report.schema.json). Written row by row,
// so that its size costs no memory. Text that is not UTF-8 has U+FFFD in the place of what is
// wrong.
#include <string_view>

#include "analysis/pages.h"
#include "analysis/sites.h"
#include "report/json_rows.h"
#include "report/json_stream.h"
#include "report/page_text.h"
#include "report/writers.h"

namespace cowtrace::report {

namespace {

template <typename Rows, typename MakeJson>
void write_list(JsonStream& json, std::string_view key, const Rows& rows, MakeJson&& make_json) {
  json.list(key, [&](auto&& put) {
    for (const auto& row : rows) put(make_json(row));
  });
}

}  // namespace

Status write_json(const analysis::Report& report, const ReportOptions& options, std::ostream& out) {
  const analysis::Summary& summary = report.summary;
  JsonStream json(out);
  json.member("schema", "cowtrace.report/1");
  json.member("version", options.version);
  json.member("capture", capture_json(summary.capture));
  json.member("totals", totals_json(summary.totals));
  write_list(json, "processes", summary.processes, process_json);
  write_list(json, "stalls", summary.stalls, stall_json);
  json.list("pages", [&](auto&& put) {
    PageText text;
    analysis::for_each_page(
        report, [&](const analysis::PageRow& page) { put(JsonStream::Text{text.of(page)}); });
  });
  write_list(json, "objects", summary.objects, object_json);
  write_list(json, "sites", summary.sites, site_json);
  write_list(json, "allocators", summary.allocators, site_json);
  const auto& unknown = summary.allocators_unknown;
  json.member("allocators_unknown",
              unknown ? Json{{"breaks", unknown->breaks}, {"copied_bytes", unknown->bytes}}
                      : Json(nullptr));
  write_list(json, "mappings", summary.mappings, mapping_json);
  json.member("timeline_bucket_ns", summary.timeline_bucket_ns);
  write_list(json, "timeline", summary.timeline, timeline_json);
  write_list(json, "watches", summary.watches, watch_json);
  write_list(json, "advice", summary.advice, advice_json);
  json.finish();
  if (!out) return fail("the JSON report is incomplete", "its file did not take all of it");
  return {};
}

}  // namespace cowtrace::report
