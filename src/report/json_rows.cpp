// SPDX-License-Identifier: Apache-2.0
#include "report/json_rows.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <ctime>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/units.h"

namespace cowtrace::report {

Json or_null(const std::optional<std::uint64_t>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json or_null(std::string_view text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

Json or_null(const std::optional<model::ProcessKey>& key) {
  return key ? Json(key->value) : Json(nullptr);
}

Json stack_frame_json(const model::StackFrame& frame) {
  return {{"kind", frame.python ? "python" : "native"},
          {"function", frame.function},
          {"file", or_null(frame.file)},
          {"line", frame.line != 0 ? Json(frame.line) : Json(nullptr)},
          {"module", or_null(frame.module)},
          {"inlined", frame.inlined},
          {"why_unnamed", or_null(frame.why_unnamed)}};
}

// The signal, or the status of exit; null while it runs, and where that is not known.
Json end_json(const std::optional<std::uint32_t>& wait_status) {
  if (!wait_status) return nullptr;
  const int status = static_cast<int>(*wait_status);
  if (WIFSIGNALED(status)) return {{"signal", WTERMSIG(status)}};
  return {{"status", WEXITSTATUS(status)}};
}

namespace {

// Frame 0 is "not known", never a frame.
Json frame_json(std::uint64_t frame) {
  return frame != 0 ? Json(hex(frame)) : Json(nullptr);
}

// Its operator[] and insert() look through all that is there.
Json object_of(const std::map<std::string, std::uint64_t>& values) {
  Json json = Json::object();
  auto& members = json.get_ref<Json::object_t&>();
  for (const auto& [key, value] : values) members.emplace_back(key, value);
  return json;
}

// RFC 3339 in UTC, to the nanosecond.
std::string timestamp(std::int64_t unix_ns) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  std::int64_t fraction = unix_ns % kSecond;
  std::time_t seconds = unix_ns / kSecond;
  if (fraction < 0) {
    fraction += kSecond;
    --seconds;
  }
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, fraction);
}

Json count_json(const analysis::BreakCount& count) {
  return {{"breaks", count.breaks}, {"bytes", count.bytes}};
}

// Causes that occurred: a zero would claim that it was looked for.
Json by_cause_json(const analysis::ByCause& by_cause) {
  Json json = Json::object();
  for (std::size_t c = 0; c < by_cause.size(); ++c)
    if (by_cause[c].breaks != 0) json[std::string(model::kCauseNames[c])] = count_json(by_cause[c]);
  return json;
}

Json by_phase_json(const std::optional<analysis::ByPhase>& by_phase) {
  if (!by_phase) return nullptr;
  Json json = Json::object();
  for (std::size_t phase = 0; phase < by_phase->size(); ++phase)
    json[std::string(model::kPhaseNames[phase])] = count_json((*by_phase)[phase]);
  return json;
}

Json latency_json(const std::optional<analysis::Latency>& latency) {
  if (!latency) return nullptr;
  return {{"p50", latency->p50}, {"p99", latency->p99}, {"max", latency->max}};
}

Json audit_json(const std::optional<model::Audit>& audit) {
  if (!audit) return nullptr;
  Json pages = Json::array();
  for (const std::uint64_t page : audit->unexplained_pages) pages.push_back(hex(page));
  return {{"private_pages", audit->private_pages},
          {"explained", audit->explained},
          {"unexplained", audit->unexplained()},
          {"reasons", object_of(audit->reasons)},
          {"unexplained_pages", pages}};
}

Json watch_break_json(const std::optional<analysis::WatchBreak>& event) {
  if (!event) return nullptr;
  Json stack = Json::array();
  for (const model::StackFrame& frame : event->stack) stack.push_back(stack_frame_json(frame));
  return {{"t_ns", event->t_ns},
          {"written", hex(event->address)},
          {"pid", event->pid},
          {"mechanism", model::info(event->mechanism).name},
          {"cause", model::name(event->cause)},
          {"object", or_null(event->object)},
          {"field", or_null(event->field)},
          {"stack", stack}};
}

Json watch_slot_json(const std::optional<analysis::WatchSlot>& slot) {
  if (!slot) return nullptr;
  return {{"place", slot->place},
          {"address", hex(slot->address)},
          {"frame", frame_json(slot->frame)},
          {"state", analysis::name(slot->state)},
          {"break", watch_break_json(slot->break_of_page)},
          {"in_place", watch_break_json(slot->in_place)}};
}

}  // namespace

Json capture_json(const model::CaptureInfo& capture) {
  return {{"command", capture.command},
          {"backend", capture.backend},
          {"kernel", capture.kernel},
          {"arch", capture.arch},
          {"detail", capture.detail},
          {"snapshot", capture.snapshot},
          {"started_at", timestamp(capture.started_at_unix_ns)},
          {"duration_ns", capture.duration_ns},
          {"events", capture.events},
          {"lost_events", capture.lost_events},
          {"lost_control", capture.lost_control},
          {"unfinished_faults", capture.unfinished_faults},
          {"untracked_tasks", capture.untracked_tasks},
          {"undecodable_events", capture.undecodable_events},
          {"memory_limit_bytes", or_null(capture.memory_limit)},
          {"memory_limit_of", or_null(capture.memory_limit_of)},
          {"blind_spots", capture.blind_spots},
          {"notes", capture.notes}};
}

Json totals_json(const analysis::Totals& totals) {
  Json mechanisms = Json::object();
  for (const model::MechanismInfo& mechanism : model::kMechanismTable) {
    const auto number = static_cast<std::size_t>(mechanism.mechanism);
    const auto& sum = totals.by_mechanism[number];
    if (number >= model::kMechanisms && sum.count == 0) continue;
    mechanisms[std::string(mechanism.name)] = {
        {"count", sum.count}, {"bytes", sum.bytes}, {"latency_ns", latency_json(sum.latency)}};
  }
  return {{"breaks", totals.breaks},
          {"copied_bytes", totals.copied_bytes},
          {"written_bytes", or_null(totals.written_bytes)},
          {"inherited_bytes", or_null(totals.inherited_bytes)},
          {"still_shared_bytes", or_null(totals.still_shared_bytes)},
          {"by_mechanism", mechanisms},
          {"by_cause", by_cause_json(totals.by_cause)},
          {"by_phase", by_phase_json(totals.by_phase)},
          {"ending_by_cause", by_cause_json(totals.ending_by_cause)}};
}

Json process_json(const analysis::ProcessSummary& process) {
  return {{"process", process.process.value},
          {"pid", process.pid},
          {"parent", or_null(process.parent)},
          {"forked_from", or_null(process.forked_from)},
          {"command", process.command},
          {"python", or_null(process.python)},
          {"start_ns", process.start_ns},
          {"exit_ns", or_null(process.exit_ns)},
          {"end", end_json(process.wait_status)},
          {"exec_ns", process.exec_ns},
          {"fork_ns", or_null(process.fork_ns)},
          {"fork_took_ns", or_null(process.fork_took_ns)},
          {"inherited_bytes", or_null(process.inherited_bytes)},
          {"copied_bytes", process.copied_bytes},
          {"still_shared_bytes", or_null(process.still_shared_bytes)},
          {"breaks", process.breaks},
          {"ending", count_json(process.ending)},
          {"audit", audit_json(process.audit)},
          {"audit_missing", or_null(process.audit_missing)}};
}

Json stall_json(const analysis::StallSummary& stall) {
  Json histogram = Json::array();
  for (std::size_t i = 0; i < stall.bucket.size(); ++i) {
    if (stall.bucket[i] == 0) continue;
    const auto& bounds = analysis::StallSummary::kBounds;
    histogram.push_back({{"from_ns", i == 0 ? 0 : bounds[i - 1]},
                         {"below_ns", i < bounds.size() ? Json(bounds[i]) : Json(nullptr)},
                         {"count", stall.bucket[i]}});
  }
  return {{"process", stall.process.value},
          {"forks", stall.forks},
          {"fork_total_ns", stall.fork_total_ns},
          {"fork_max_ns", stall.fork_max_ns},
          {"breaks", stall.breaks},
          {"break_total_ns", stall.break_total_ns},
          {"latency_ns", latency_json(stall.latency)},
          {"histogram", histogram}};
}

Json object_json(const analysis::ObjectSummary& object) {
  Json processes = Json::array();
  for (const model::ProcessKey key : object.processes) processes.push_back(key.value);
  return {{"id", object.id.value},
          {"name", object.name},
          {"type", or_null(object.type)},
          {"kind", model::name(object.kind)},
          {"group", or_null(object.group)},
          {"group_items", object.group_items != 0 ? Json(object.group_items) : Json(nullptr)},
          {"address", hex(object.address)},
          {"size", object.size},
          {"fields", object_of(object.fields)},
          {"breaks", object.breaks},
          {"copied_bytes", object.copied_bytes},
          {"written_bytes", or_null(object.written_bytes)},
          {"neighbour_breaks", object.neighbour_breaks},
          {"by_cause", by_cause_json(object.by_cause)},
          {"ending", count_json(object.ending_total())},
          {"processes", processes}};
}

Json site_json(const analysis::SiteSummary& site) {
  Json frames = Json::array();
  for (const model::StackFrame* frame : site.frames) frames.push_back(stack_frame_json(*frame));
  return {{"stack", frames},
          {"truncated", site.truncated},
          {"breaks", site.breaks},
          {"copied_bytes", site.copied_bytes},
          {"by_cause", by_cause_json(site.by_cause)},
          {"ending", count_json(site.ending)}};
}

Json mapping_json(const analysis::MappingSummary& mapping) {
  return {{"label", or_null(mapping.label)},
          {"breaks", mapping.breaks},
          {"copied_bytes", mapping.copied_bytes}};
}

Json watch_json(const analysis::WatchSummary& watch) {
  Json at_fork = nullptr;
  if (watch.at_fork)
    at_fork = {{"t_ns", watch.at_fork->t_ns},
               {"address", hex(watch.at_fork->address)},
               {"frame", frame_json(watch.at_fork->frame)}};
  return {{"expression", watch.expression},
          {"process", watch.process.value},
          {"pid", watch.pid},
          {"address", watch.address != 0 ? Json(hex(watch.address)) : Json(nullptr)},
          {"frame", frame_json(watch.frame)},
          {"type", or_null(watch.type)},
          {"state", analysis::name(watch.state)},
          {"reason", or_null(watch.reason)},
          {"seen_at", model::name(watch.seen)},
          {"seen_ns", watch.seen_ns},
          {"at_fork", at_fork},
          {"pages", watch.pages},
          {"copied_pages", watch.copied_pages},
          {"slot", watch_slot_json(watch.slot)},
          {"break", watch_break_json(watch.break_of_page)},
          {"in_place", watch_break_json(watch.in_place)}};
}

Json timeline_json(const analysis::TimelineRow& row) {
  return {{"t_ns", row.t_ns},
          {"process", row.process.value},
          {"copied_bytes", row.copied_bytes},
          {"breaks", row.breaks},
          {"ending_bytes", row.ending_bytes}};
}

Json advice_json(const analysis::Advice& advice) {
  return {{"id", advice.id},
          {"text", advice.text},
          {"saves_at_most_bytes", or_null(advice.saves_at_most_bytes)},
          {"page", analysis::path_of(advice)}};
}

}  // namespace cowtrace::report
