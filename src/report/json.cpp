// SPDX-License-Identifier: Apache-2.0
#include "report/json.h"

#include <string_view>

#include "analysis/pages.h"
#include "analysis/sites.h"
#include "report/json_rows.h"

namespace cowtrace::report {

namespace {

// Writes the members of the one top-level object; lists have one row a line.
class JsonStream {
 public:
  explicit JsonStream(std::ostream& out) : out_(out) { out_ << '{'; }

  void member(std::string_view key, const Json& value) {
    begin_member(key);
    put(value);
  }

  // `rows` is called with a function that takes each row.
  template <typename Rows>
  void list(std::string_view key, Rows&& rows) {
    begin_member(key);
    out_ << '[';
    bool first = true;
    rows([&](const Json& row) {
      out_ << (first ? "\n  " : ",\n  ");
      first = false;
      put(row);
    });
    out_ << (first ? "]" : "\n]");
  }

  void finish() { out_ << "\n}\n" << std::flush; }

 private:
  void begin_member(std::string_view key) {
    out_ << (first_member_ ? "\n" : ",\n");
    first_member_ = false;
    put(key);
    out_ << ": ";
  }

  void put(const Json& value) {
    out_ << value.dump(-1, ' ', false, Json::error_handler_t::replace);
  }

  std::ostream& out_;
  bool first_member_ = true;
};

template <typename Rows, typename MakeJson>
void write_list(JsonStream& json, std::string_view key, const Rows& rows, MakeJson&& make_json) {
  json.list(key, [&](auto&& put) {
    for (const auto& row : rows) put(make_json(row));
  });
}

}  // namespace

Status JsonReporter::write(const analysis::Summary& summary, const model::Session& session,
                           model::Resolver& resolver, std::ostream& out) {
  JsonStream json(out);
  json.member("schema", "cowtrace.report/1");
  json.member("version", options_.version);
  json.member("capture", capture_json(summary.capture));
  json.member("totals", totals_json(summary.totals));
  write_list(json, "processes", summary.processes, process_json);
  json.list("pages", [&](auto&& put) {
    analysis::for_each_page(summary, session, resolver,
                            [&](const analysis::PageRow& page) { put(page_json(page)); });
  });
  write_list(json, "objects", summary.objects, object_json);
  analysis::SiteFrames frames(session, resolver);
  write_list(json, "sites", summary.sites, [&](const analysis::SiteSummary& site) {
    return site_json(site, frames.of(site), frames.truncated(site));
  });
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
