// SPDX-License-Identifier: Apache-2.0
// A trace for https://ui.perfetto.dev (proto/perfetto_trace.proto): for each process a counter of
// copied bytes, an instant for each break with its stack and object, and marks where it begins and
// ends.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "analysis/events.h"
#include "base/units.h"
#include "report/end_words.h"
#include "report/perfetto_packets.h"
#include "report/writers.h"

namespace cowtrace::report {

namespace {

// Tracks are numbered by process, and the first one is the capture's.
constexpr std::uint64_t kCaptureTrack = 1;
enum class Track : std::uint64_t { Process, CopiedBytes, Breaks, Life };
constexpr std::uint64_t kTracks = 4;

std::uint64_t uuid(model::ProcessKey process, Track track) {
  return kCaptureTrack + 1 + process.value * kTracks + static_cast<std::uint64_t>(track);
}

class TraceWriter : public analysis::EventVisitor {
 public:
  TraceWriter(const analysis::Summary& summary, std::ostream& out)
      : summary_(summary),
        names_(summary),
        packets_(out),
        copied_bytes_(summary.processes.size()) {}

  void begin(const ReportOptions& options);
  void mark(const analysis::ProcessMark& mark) override;
  void event(const analysis::EventRow& row) override;
  void finish() { packets_.finish(); }

 private:
  void describe_capture(const ReportOptions& options);
  void describe_process(const analysis::ProcessSummary& process);
  void annotate_event(const analysis::EventRow& row);

  const analysis::Summary& summary_;
  StackNames names_;
  PerfettoPackets packets_;
  std::vector<std::uint64_t> copied_bytes_;  // by process, so far
};

void TraceWriter::begin(const ReportOptions& options) {
  describe_capture(options);
  for (const analysis::ProcessSummary& process : summary_.processes) describe_process(process);
}

void TraceWriter::describe_capture(const ReportOptions& options) {
  pb::TrackDescriptor& track = *packets_.add().mutable_track_descriptor();
  track.set_uuid(kCaptureTrack);
  track.set_name("cowtrace");
  const model::CaptureInfo& capture = summary_.capture;
  std::string command;
  for (const std::string& word : capture.command)
    command += (command.empty() ? "" : " ") + printable(word);
  packets_.add_instant(0, kCaptureTrack, "capture started");
  packets_.annotate("version", options.version);
  packets_.annotate("command", command);
  packets_.annotate("backend", capture.backend);
  packets_.annotate("kernel", capture.kernel);
  packets_.annotate("lost_events", capture.lost_events);
  for (const std::string& text : capture.blind_spots)
    packets_.annotate("not seen", printable(text));
  for (const std::string& text : capture.notes) packets_.annotate("note", printable(text));
  for (const std::string& text : options.filter.conditions())
    packets_.annotate("filter", printable(text));
}

void TraceWriter::describe_process(const analysis::ProcessSummary& process) {
  pb::TrackDescriptor& own = *packets_.add().mutable_track_descriptor();
  own.set_uuid(uuid(process.process, Track::Process));
  own.mutable_process()->set_pid(process.pid);
  own.mutable_process()->set_process_name(command_of(process));
  own.mutable_process()->set_start_timestamp_ns(static_cast<std::int64_t>(process.start_ns));
  const auto add_child = [&](Track track, const char* name) -> pb::TrackDescriptor& {
    pb::TrackDescriptor& child = *packets_.add().mutable_track_descriptor();
    child.set_uuid(uuid(process.process, track));
    child.set_parent_uuid(uuid(process.process, Track::Process));
    child.set_name(name);
    return child;
  };
  add_child(Track::CopiedBytes, "copied bytes")
      .mutable_counter()
      ->set_unit(pb::CounterDescriptor::UNIT_SIZE_BYTES);
  add_child(Track::Breaks, "breaks");
  add_child(Track::Life, "fork, exec, exit");
}

void TraceWriter::mark(const analysis::ProcessMark& mark) {
  const analysis::ProcessSummary& process = summary_.processes[mark.process.value];
  using Kind = analysis::ProcessMark::Kind;
  const char* started = process.fork_ns ? "fork" : "start";
  const char* name = mark.kind == Kind::Start ? started : mark.kind == Kind::Exec ? "exec" : "exit";
  packets_.add_instant(mark.t_ns, uuid(mark.process, Track::Life), name);
  if (mark.kind == Kind::Exec) return;
  if (mark.kind == Kind::Start) {
    if (process.parent)
      packets_.annotate_signed("parent", summary_.processes[process.parent->value].pid);
    if (process.inherited_bytes) packets_.annotate("inherited_bytes", *process.inherited_bytes);
    return;
  }
  packets_.annotate("end", end_words(process));
  // The kernel's own counts: events may have been lost or left out.
  packets_.annotate("breaks", process.breaks);
  packets_.annotate("copied_bytes", process.copied_bytes);
  if (process.still_shared_bytes)
    packets_.annotate("still_shared_bytes", *process.still_shared_bytes);
}

void TraceWriter::event(const analysis::EventRow& row) {
  if (!row.touch.is_break()) return;
  const std::string_view mechanism = model::info(row.touch.mechanism).name;
  pb::TrackEvent& event =
      packets_.add_instant(row.t_ns, uuid(row.process, Track::Breaks),
                           row.cause == model::Cause::Unknown
                               ? std::string(mechanism)
                               : fmt::format("{}: {}", mechanism, model::name(row.cause)));
  copied_bytes_[row.process.value] += row.touch.bytes();
  event.add_extra_counter_track_uuids(uuid(row.process, Track::CopiedBytes));
  event.add_extra_counter_values(static_cast<std::int64_t>(copied_bytes_[row.process.value]));
  annotate_event(row);
  if (row.site) packets_.call_stack(*row.site, [&] { return names_.of_site(*row.site); });
}

void TraceWriter::annotate_event(const analysis::EventRow& row) {
  packets_.annotate_address("address", row.touch.address);
  packets_.annotate("bytes", row.touch.bytes());
  if (row.resolution == nullptr)
    packets_.annotate("breaks", row.touch.count);
  else
    packets_.annotate_signed("tid", row.resolution->tid);
  packets_.annotate("mechanism", std::string(model::info(row.touch.mechanism).name));
  packets_.annotate("cause", std::string(model::name(row.cause)));
  if (row.object) {
    const analysis::ObjectSummary& object = summary_.objects[row.object->value];
    packets_.annotate("object", printable(object.name));
    packets_.annotate("type", printable(object.type));
  }
  packets_.annotate("field", printable(row.field));
  packets_.annotate("mapping", printable(row.mapping));
}

}  // namespace

Status write_perfetto(const analysis::Report& report, const ReportOptions& options,
                      std::ostream& out) {
  const analysis::Summary& summary = report.summary;
  TraceWriter writer(summary, out);
  writer.begin(options);
  analysis::visit_in_time(report, options.filter, writer);
  writer.finish();
  out << std::flush;
  if (!out) return fail("the Perfetto trace is incomplete", "its file did not take all of it");
  return {};
}

}  // namespace cowtrace::report
