// SPDX-License-Identifier: Apache-2.0
#include "analysis/join.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "analysis/advice.h"
#include "analysis/allocators.h"
#include "analysis/clock.h"
#include "analysis/exact_counts.h"
#include "analysis/latency.h"
#include "analysis/lost_pages.h"
#include "analysis/page_groups.h"
#include "analysis/sites.h"
#include "analysis/stalls.h"
#include "analysis/timeline.h"

namespace cowtrace::analysis {

namespace {

std::vector<ProcessSummary> process_summaries(const model::Session& session,
                                              const ExactCounts& exact) {
  std::vector<ProcessSummary> summaries;
  const std::uint64_t started = session.capture.started_ns;
  for (const model::Process& process : session.processes) {
    const model::ProcessKey key(static_cast<std::uint32_t>(summaries.size()));
    ProcessSummary& summary = summaries.emplace_back();
    summary.process = key;
    summary.pid = process.pid;
    summary.parent = process.parent;
    summary.forked_from = process.forked_from;
    summary.started_by_exec =
        !process.exec_ns.empty() && process.spaces.size() > (process.forked_from ? 1 : 0);
    summary.command = process.command;
    summary.python = process.python;
    summary.start_ns = since(started, process.start_ns);
    summary.exit_ns = since(started, process.exit_ns);
    summary.fork_ns = since(started, process.fork_ns);
    for (const std::uint64_t exec_ns : process.exec_ns)
      summary.exec_ns.push_back(since(started, exec_ns));
    summary.wait_status = process.wait_status;
    summary.fork_took_ns = process.fork_took_ns;
    summary.inherited_bytes = process.inherited_bytes;
    summary.still_shared_bytes = process.still_shared_bytes;
    summary.breaks = exact.of(key).breaks();
    summary.copied_bytes = exact.of(key).copied_bytes();
    summary.audit = process.audit;
    summary.audit_missing = process.audit_missing;
  }
  return summaries;
}

std::optional<std::uint64_t> sum_of_known(const std::vector<ProcessSummary>& processes,
                                          std::optional<std::uint64_t> ProcessSummary::*member) {
  std::optional<std::uint64_t> sum;
  for (const ProcessSummary& process : processes)
    if (process.*member) sum = sum.value_or(0) + *(process.*member);
  return sum;
}

// The sections that follow from every touch of every page.
class Aggregator {
 public:
  Aggregator(const model::Session& session, const model::Facts& facts, Summary& summary,
             Timeline& timeline)
      : session_(session),
        facts_(facts),
        summary_(summary),
        timeline_(timeline),
        sites_(summary.site_index.keys()),
        first_writes_(session),
        allocators_(summary.site_index.keys()),
        place_of_(summary.object_index.size(), PageObjects::kNone) {
    if (first_writes_.recorded()) summary_.allocators_unknown.emplace();
    if (session.capture.endings_known) summary_.totals.by_phase.emplace();
  }

  void add(const PageGroup& group);
  void finish(bool name_sites);

 private:
  void add_allocator(model::ProcessKey process, const Touch& touch);
  void add_break(model::ProcessKey process, const Touch& raw, std::uint32_t object);
  void add_phase(model::ProcessKey process, const Touch& touch);
  ObjectSummary& object(std::uint32_t number);
  void finish_objects();
  void finish_mappings();

  const model::Session& session_;
  const model::Facts& facts_;
  Summary& summary_;
  Timeline& timeline_;
  SiteTable sites_;
  FirstWrites first_writes_;
  SiteTable allocators_;
  PageObjects on_page_;
  std::vector<ObjectSummary> objects_;   // of those that are shown
  std::vector<std::uint32_t> place_of_;  // in objects_, by number of ObjectIndex
  std::unordered_map<const model::Object*, BreakCount> mappings_;
};

void note_process(std::vector<model::ProcessKey>& processes, model::ProcessKey process) {
  // Processes come in ascending order.
  if (processes.empty() || processes.back() != process) processes.push_back(process);
}

ObjectSummary& Aggregator::object(std::uint32_t number) {
  std::uint32_t& place = place_of_[number];
  if (place == PageObjects::kNone) {
    place = static_cast<std::uint32_t>(objects_.size());
    objects_.emplace_back();
  }
  return objects_[place];
}

void Aggregator::add(const PageGroup& group) {
  summary_.object_index.on_page(group, on_page_);
  for (const std::uint32_t number : on_page_.written)
    if (number != PageObjects::kNone) static_cast<void>(object(number));
  for (std::size_t i = 0; i < group.touches.size(); ++i)
    if (group.touches[i].is_break())
      add_break(group.process, group.touches[i], on_page_.written[i]);
  if (on_page_.neighbours.empty()) return;
  const std::uint64_t breaks = group.breaks();
  for (const std::uint32_t number : on_page_.neighbours) {
    object(number).neighbour_breaks += breaks;
    note_process(object(number).processes, group.process);
  }
}

void Aggregator::add_break(model::ProcessKey process, const Touch& raw, std::uint32_t number) {
  const model::Effect& effect = effect_of(session_, facts_, raw);
  Touch touch = raw;
  touch.cause = cause_of(raw, effect.cause);
  const std::uint64_t bytes = touch.bytes();
  const auto cause = static_cast<std::size_t>(touch.cause);
  summary_.totals.by_cause[cause].add(touch.count, bytes);
  add_phase(process, touch);
  mappings_[summary_.object_index.mapping_of(touch)].add(touch.count, bytes);
  if (!touch.aggregated) {
    timeline_.add(process, touch);
    sites_.add(process, touch,
               number != PageObjects::kNone ? &summary_.object_index.object(number) : nullptr);
    add_allocator(process, touch);
  }
  const auto stored = effect.stored;
  if (stored) summary_.totals.written_bytes = summary_.totals.written_bytes.value_or(0) + *stored;
  if (number == PageObjects::kNone) return;
  ObjectSummary& written = object(number);
  if (stored) written.written_bytes = written.written_bytes.value_or(0) + *stored;
  written.breaks += touch.count;
  written.copied_bytes += bytes;
  written.by_cause[cause].add(touch.count, bytes);
  if (touch.is_ending()) add_to(written.ending, touch.cause, touch.count, bytes);
  if (effect.field != 0) written.fields[facts_.field(effect)] += touch.count;
  note_process(written.processes, process);
  if (!touch.is_ending() &&
      (touch.cause == model::Cause::Container || touch.cause == model::Cause::Value))
    note_process(written.changers, process);
}

void Aggregator::add_phase(model::ProcessKey process, const Touch& touch) {
  Totals& totals = summary_.totals;
  if (!totals.by_phase) return;
  (*totals.by_phase)[static_cast<std::size_t>(touch.phase)].add(touch.count, touch.bytes());
  if (!touch.is_ending()) return;
  totals.ending_by_cause[static_cast<std::size_t>(touch.cause)].add(touch.count, touch.bytes());
  summary_.processes[process.value].ending.add(touch.count, touch.bytes());
}

void Aggregator::add_allocator(model::ProcessKey process, const Touch& touch) {
  if (!first_writes_.recorded()) return;
  const model::Resolution* first = first_writes_.of(touch);
  if (first == nullptr) {
    summary_.allocators_unknown->add(touch.count, touch.bytes());
    return;
  }
  Touch allocation = touch;
  allocation.space = session_.find_space(first->space);
  // The registers are still those of the program before it.
  const bool of_exec = first_writes_.is_of_exec(*first);
  allocation.stack = of_exec ? model::StackHash() : first->stack;
  allocation.ip = of_exec ? 0 : first->ip;
  allocation.last_ns = first->time_ns;
  allocators_.add(process, allocation);
}

void Aggregator::finish(bool name_sites) {
  SiteFrames* const names = name_sites ? summary_.stack_frames.get() : nullptr;
  SiteIndex::Numbers numbers;
  summary_.sites = sites_.take(names, &numbers);
  summary_.site_index.set(std::move(numbers));
  summary_.allocators = allocators_.take(names, nullptr);
  finish_objects();
  finish_mappings();
}

void Aggregator::finish_objects() {
  const ObjectIndex& index = summary_.object_index;
  std::vector<std::uint32_t> order;  // numbers of those that are shown
  order.reserve(objects_.size());
  for (std::uint32_t number = 0; number < place_of_.size(); ++number)
    if (place_of_[number] != PageObjects::kNone) order.push_back(number);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    const std::uint64_t copied_a = object(a).copied_bytes, copied_b = object(b).copied_bytes;
    if (copied_a != copied_b) return copied_a > copied_b;
    const auto rest = [&](std::uint32_t number) {
      const model::Object& known = index.object(number);
      return std::tie(known.name, known.address, known.kind, known.size, known.type);
    };
    return rest(a) < rest(b);
  });
  std::vector<std::uint32_t> id_of(index.size(), PageObjects::kNone);
  summary_.objects.reserve(order.size());
  for (const std::uint32_t number : order) {
    const model::Object& known = index.object(number);
    ObjectSummary& summary = object(number);
    id_of[number] = static_cast<std::uint32_t>(summary_.objects.size());
    summary.id = ObjectId(id_of[number]);
    summary.kind = known.kind;
    summary.name = known.name;
    summary.type = known.type;
    summary.group = known.group;
    summary.group_items = known.group_items;
    summary.address = known.address;
    summary.size = known.size;
    summary.kept_by_interpreter = known.kept_by_interpreter;
    summary_.objects.push_back(std::move(summary));
  }
  summary_.object_index.number_as(std::move(id_of));
}

void Aggregator::finish_mappings() {
  std::map<std::string, BreakCount> by_label;
  for (const auto& [mapping, count] : mappings_)
    by_label[mapping != nullptr ? mapping->name : std::string()].add(count.breaks, count.bytes);
  for (const auto& [label, count] : by_label)
    summary_.mappings.push_back({label, count.breaks, count.bytes});
  std::stable_sort(summary_.mappings.begin(), summary_.mappings.end(),
                   [](const MappingSummary& a, const MappingSummary& b) {
                     return a.copied_bytes > b.copied_bytes;
                   });
}

void finish_totals(Summary& summary, const ExactCounts& exact, const model::Session& session) {
  Totals& totals = summary.totals;
  totals.breaks = exact.totals().breaks();
  totals.copied_bytes = exact.totals().copied_bytes();
  totals.inherited_bytes = sum_of_known(summary.processes, &ProcessSummary::inherited_bytes);
  totals.still_shared_bytes = sum_of_known(summary.processes, &ProcessSummary::still_shared_bytes);
  const auto latencies = latency_by_mechanism(session);
  for (std::size_t m = 0; m < model::kMechanismNumbers; ++m)
    totals.by_mechanism[m] = {exact.totals().count[m], exact.totals().bytes[m], latencies[m]};
  BreakCount with_cause;
  for (const BreakCount& count : totals.by_cause) with_cause.add(count.breaks, count.bytes);
  totals.by_cause[static_cast<std::size_t>(model::Cause::Unknown)].add(
      totals.breaks - std::min(totals.breaks, with_cause.breaks),
      totals.copied_bytes - std::min(totals.copied_bytes, with_cause.bytes));
}

std::uint64_t last_moment(const model::Session& session) {
  std::uint64_t last = session.capture.duration_ns;
  for (const model::AddressSpace& space : session.spaces)
    for (const model::Resolution& event : space.resolutions)
      last = std::max(last, since(session.capture.started_ns, event.time_ns));
  return last;
}

}  // namespace

Report join(const model::Session& session, const model::Facts& facts, const JoinOptions& options) {
  Report report{session, facts, Summary(session, facts)};
  Summary& summary = report.summary;
  const ExactCounts exact(session);
  summary.capture.notes.insert(summary.capture.notes.end(), exact.notes().begin(),
                               exact.notes().end());
  for (std::string& note : lost_page_notes(session))
    summary.capture.notes.push_back(std::move(note));
  summary.processes = process_summaries(session, exact);
  summary.stack_frames = std::make_shared<SiteFrames>(session, facts.stack_names);

  Timeline timeline(session.capture.started_ns, last_moment(session), options.timeline_buckets);
  Aggregator aggregator(session, facts, summary, timeline);
  PageGroups(session).for_each([&](const PageGroup& group) { aggregator.add(group); });
  aggregator.finish(options.name_sites);
  summary.timeline = timeline.take();
  summary.timeline_bucket_ns = timeline.bucket_ns();
  finish_totals(summary, exact, session);
  summary.stalls = stall_summaries(session);
  summary.watches = watch_summaries(session, facts);
  summary.advice = advise(summary, session);
  return report;
}

}  // namespace cowtrace::analysis
