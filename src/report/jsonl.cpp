// SPDX-License-Identifier: Apache-2.0
// Raw events as JSON lines, schema "cowtrace.events/1" (docs/events.schema.json): one object a
// line, in order of time, with a `type`. Stacks and objects are written once, before the first
// event that names them; their numbers are those of `sites` and `objects` in the JSON report.
#include <fmt/format.h>

#include <string_view>
#include <vector>

#include "analysis/clock.h"
#include "analysis/events.h"
#include "base/units.h"
#include "report/json_rows.h"
#include "report/writers.h"

namespace cowtrace::report {

namespace {

Json hex_or_null(std::uint64_t number) {
  return number != 0 ? Json(hex(number)) : Json(nullptr);
}

// What both kinds of events say.
Json event_json(const analysis::EventRow& row, std::string_view type, std::int32_t pid) {
  const analysis::Touch& touch = row.touch;
  return {{"type", type},
          {"t_ns", row.t_ns},
          {"process", row.process.value},
          {"pid", pid},
          {"space", touch.space->id.value},
          {"mechanism", model::info(touch.mechanism).name},
          {"is_break", touch.is_break()},
          {"cause", model::name(row.cause)},
          {"phase", row.phase ? Json(model::name(*row.phase)) : Json(nullptr)},
          {"address", hex(touch.address)},
          {"page", hex(touch.page)},
          {"size", touch.size},
          {"old_frame", hex_or_null(touch.old_frame)},
          {"new_frame", hex_or_null(touch.new_frame)},
          {"mapping", or_null(row.mapping)},
          {"object", row.object ? Json(row.object->value) : Json(nullptr)},
          {"field", or_null(row.field)}};
}

class Lines : public analysis::EventVisitor {
 public:
  Lines(const analysis::Summary& summary, const model::Session& session, std::ostream& out)
      : summary_(summary),
        session_(session),
        out_(out),
        stack_written_(summary.sites.size()),
        object_written_(summary.objects.size()) {}

  void begin(const ReportOptions& options) {
    Json line = {
        {"type", "capture"}, {"schema", "cowtrace.events/1"}, {"version", options.version}};
    line.update(capture_json(summary_.capture));
    line["filter"] = options.filter.conditions();
    put(line);
  }

  void mark(const analysis::ProcessMark& mark) override {
    const analysis::ProcessSummary& process = summary_.processes[mark.process.value];
    using Kind = analysis::ProcessMark::Kind;
    const char* type = mark.kind == Kind::Start  ? "process"
                       : mark.kind == Kind::Exec ? "exec"
                                                 : "exit";
    Json line = {{"type", type}, {"t_ns", mark.t_ns}};
    if (mark.kind == Kind::Start)
      line.update(process_json(process));
    else
      line.update(Json{{"process", process.process.value}, {"pid", process.pid}});
    if (mark.kind == Kind::Exit) line["end"] = end_json(process.wait_status);
    put(line);
  }

  void event(const analysis::EventRow& row) override {
    if (row.object) write_object(*row.object);
    if (row.site) write_stack(*row.site);
    const std::int32_t pid = session_.process(row.process).pid;
    if (row.resolution == nullptr)
      write_count(row, pid);
    else
      write_resolution(row, *row.resolution, pid);
    ++events_;
    if (!row.touch.is_break()) return;
    breaks_ += row.touch.count;
    copied_bytes_ += row.touch.bytes();
  }

  void end() {
    put({{"type", "end"},
         {"t_ns", summary_.capture.duration_ns},
         {"events", events_},
         {"breaks", breaks_},
         {"copied_bytes", copied_bytes_},
         {"lost_events", summary_.capture.lost_events}});
  }

 private:
  void write_resolution(const analysis::EventRow& row, const model::Resolution& event,
                        std::int32_t pid) {
    Json line = event_json(row, "resolution", pid);
    line["actor_pid"] = event.pid;
    line["actor_tid"] = event.tid;
    line["latency_ns"] = event.latency_ns;
    line["ip"] = hex_or_null(event.ip);
    line["stack"] = row.site ? Json(*row.site) : Json(nullptr);
    line["written_bytes"] = row.written_bytes ? Json(*row.written_bytes) : Json(nullptr);
    line["before"] =
        event.has_before ? Json(fmt::format("0x{:016x}", event.before)) : Json(nullptr);
    line["in_kernel"] = static_cast<bool>(event.in_kernel);
    line["late"] = static_cast<bool>(event.late);
    line["in_python"] = static_cast<bool>(event.in_python);
    line["gc_collecting"] = static_cast<bool>(event.gc_collecting);
    put(line);
  }

  void write_count(const analysis::EventRow& row, std::int32_t pid) {
    Json line = event_json(row, "count", pid);
    line["count"] = row.touch.count;
    line["first_ns"] = analysis::since(session_.capture.started_ns, row.touch.first_ns);
    put(line);
  }

  void write_object(analysis::ObjectId id) {
    if (object_written_[id.value]) return;
    object_written_[id.value] = true;
    const analysis::ObjectSummary& object = summary_.objects[id.value];
    put({{"type", "object"},
         {"object", id.value},
         {"name", object.name},
         {"object_type", or_null(object.type)},
         {"kind", model::name(object.kind)},
         {"address", hex(object.address)},
         {"size", object.size}});
  }

  void write_stack(std::uint32_t site) {
    if (stack_written_[site]) return;
    stack_written_[site] = true;
    Json frames = Json::array();
    for (const model::StackFrame* frame : summary_.sites[site].frames)
      frames.push_back(stack_frame_json(*frame));
    put({{"type", "stack"},
         {"stack", site},
         {"frames", frames},
         {"truncated", summary_.sites[site].truncated}});
  }

  void put(const Json& line) {
    out_ << line.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
  }

  const analysis::Summary& summary_;
  const model::Session& session_;
  std::ostream& out_;
  std::vector<bool> stack_written_, object_written_;  // by their numbers
  std::uint64_t events_ = 0, breaks_ = 0, copied_bytes_ = 0;
};

}  // namespace

Status write_json_lines(const analysis::Report& report, const ReportOptions& options,
                        std::ostream& out) {
  const analysis::Summary& summary = report.summary;
  Lines lines(summary, report.session, out);
  lines.begin(options);
  analysis::visit_in_time(report, options.filter, lines);
  lines.end();
  out << std::flush;
  if (!out) return fail("the events are incomplete", "their file did not take all of them");
  return {};
}

}  // namespace cowtrace::report
