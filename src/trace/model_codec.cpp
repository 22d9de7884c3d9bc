// SPDX-License-Identifier: Apache-2.0
#include "trace/model_codec.h"

#include <algorithm>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "trace/deltas.h"

namespace cowtrace::trace {
namespace {

using Texts = google::protobuf::RepeatedPtrField<std::string>;

void put_texts(const std::vector<std::string>& texts, Texts& to) {
  for (const std::string& text : texts) *to.Add() = text;
}
std::vector<std::string> texts_of(const Texts& from) {
  return {from.begin(), from.end()};
}

void put_counts(const model::Counts& counts, Counts& to) {
  to.set_space(counts.space.value);
  std::size_t numbers = model::kMechanismNumbers;
  while (numbers > model::kMechanisms && counts.count[numbers - 1] == 0) --numbers;
  for (std::size_t i = 0; i < numbers; ++i) {
    to.add_count(counts.count[i]);
    to.add_bytes(counts.bytes[i]);
  }
}
bool get_counts(const Counts& from, model::Counts& counts) {
  if (from.count_size() > static_cast<int>(model::kMechanismNumbers) ||
      from.bytes_size() != from.count_size())
    return false;
  counts.space = model::SpaceId(from.space());
  std::copy(from.count().begin(), from.count().end(), counts.count.begin());
  std::copy(from.bytes().begin(), from.bytes().end(), counts.bytes.begin());
  return true;
}

void put_one(const model::Fork& fork, Fork& to) {
  to.set_time_ns(fork.time_ns);
  to.set_parent_pid(fork.parent_pid);
  to.set_parent_tid(fork.parent_tid);
  to.set_child_pid(fork.child_pid);
  to.set_child_tid(fork.child_tid);
  to.set_child_start_ns(fork.child_start_ns);
  to.set_parent_space(fork.parent_space.value);
  to.set_child_space(fork.child_space.value);
  to.set_shares_memory(fork.shares_memory);
  to.set_is_thread(fork.is_thread);
  if (fork.took_ns) to.set_took_ns(*fork.took_ns);
  to.set_command(fork.command);
}
void put_one(const model::Attach& attach, Attach& to) {
  to.set_time_ns(attach.time_ns);
  to.set_pid(attach.pid);
  to.set_parent_pid(attach.parent_pid);
  to.set_start_ns(attach.start_ns);
  to.set_parent_space(attach.parent_space.value);
  to.set_space(attach.space.value);
  to.set_command(attach.command);
}
model::Attach attach_of(const Attach& from) {
  model::Attach attach;
  attach.time_ns = from.time_ns();
  attach.pid = from.pid();
  attach.parent_pid = from.parent_pid();
  attach.start_ns = from.start_ns();
  attach.parent_space = model::SpaceId(from.parent_space());
  attach.space = model::SpaceId(from.space());
  attach.command = from.command();
  return attach;
}

model::Fork fork_of(const Fork& from) {
  model::Fork fork;
  fork.time_ns = from.time_ns();
  fork.parent_pid = from.parent_pid();
  fork.parent_tid = from.parent_tid();
  fork.child_pid = from.child_pid();
  fork.child_tid = from.child_tid();
  fork.child_start_ns = from.child_start_ns();
  fork.parent_space = model::SpaceId(from.parent_space());
  fork.child_space = model::SpaceId(from.child_space());
  fork.shares_memory = from.shares_memory();
  fork.is_thread = from.is_thread();
  if (from.has_took_ns()) fork.took_ns = from.took_ns();
  fork.command = from.command();
  return fork;
}

void put_one(const model::Exec& exec, Exec& to) {
  to.set_time_ns(exec.time_ns);
  to.set_pid(exec.pid);
  to.set_tid(exec.tid);
  to.set_old_tid(exec.old_tid);
  to.set_start_ns(exec.start_ns);
  to.set_old_space(exec.old_space.value);
  to.set_new_space(exec.new_space.value);
  put_counts(exec.counts, *to.mutable_counts());
  to.set_command(exec.command);
}
bool get_exec(const Exec& from, model::Exec& exec) {
  exec.time_ns = from.time_ns();
  exec.pid = from.pid();
  exec.tid = from.tid();
  exec.old_tid = from.old_tid();
  exec.start_ns = from.start_ns();
  exec.old_space = model::SpaceId(from.old_space());
  exec.new_space = model::SpaceId(from.new_space());
  exec.command = from.command();
  return get_counts(from.counts(), exec.counts);
}

void put_one(const model::Exit& exit, Exit& to) {
  to.set_time_ns(exit.time_ns);
  to.set_pid(exit.pid);
  to.set_tid(exit.tid);
  to.set_start_ns(exit.start_ns);
  to.set_process_ended(exit.process_ended);
  if (exit.wait_status) to.set_wait_status(*exit.wait_status);
  put_counts(exit.counts, *to.mutable_counts());
  to.set_command(exit.command);
}
bool get_exit(const Exit& from, model::Exit& exit) {
  exit.time_ns = from.time_ns();
  exit.pid = from.pid();
  exit.tid = from.tid();
  exit.start_ns = from.start_ns();
  exit.process_ended = from.process_ended();
  if (from.has_wait_status()) exit.wait_status = from.wait_status();
  exit.command = from.command();
  return get_counts(from.counts(), exit.counts);
}

void put_one(const model::Stack& stack, Stack& to) {
  to.set_hash(stack.hash.value);
  to.set_space(stack.space.value);
  to.mutable_frames()->Add(stack.frames.begin(), stack.frames.end());
  to.set_truncated(stack.truncated);
  for (const model::PythonFrame& frame : stack.python) {
    to.add_code(frame.code);
    to.add_instruction(frame.instruction);
    to.add_owner(frame.owner);
  }
  to.set_python_truncated(stack.python_truncated);
}
bool get_stack(const Stack& from, model::Stack& stack) {
  if (from.instruction_size() != from.code_size() || from.owner_size() != from.code_size())
    return false;
  if (from.frames_size() > model::Stack::kMostFrames ||
      from.code_size() > model::Stack::kMostFrames)
    return false;
  stack.hash = model::StackHash(from.hash());
  stack.space = model::SpaceId(from.space());
  stack.frames.assign(from.frames().begin(), from.frames().end());
  stack.truncated = from.truncated();
  for (int i = 0; i < from.code_size(); ++i)
    stack.python.push_back(
        {from.code(i), from.instruction(i), static_cast<std::uint8_t>(from.owner(i))});
  stack.python_truncated = from.python_truncated();
  return true;
}

void put_sample(const model::WatchSample& sample, WatchSample& to) {
  to.set_time_ns(sample.time_ns);
  to.set_moment(static_cast<std::uint32_t>(sample.moment));
  to.set_outcome(static_cast<std::uint32_t>(sample.outcome));
  to.set_why(sample.why);
  to.set_object(sample.object);
  to.set_start(sample.start);
  to.set_type(sample.type);
  to.mutable_frames()->Add(sample.frames.begin(), sample.frames.end());
  to.set_frame(sample.frame);
  to.set_slot(sample.slot);
  to.set_slot_frame(sample.slot_frame);
  to.set_place(sample.place);
}
bool get_sample(const WatchSample& from, model::WatchSample& sample) {
  using Moment = model::WatchSample::Moment;
  using Outcome = model::WatchSample::Outcome;
  if (from.moment() > static_cast<std::uint32_t>(Moment::End) ||
      from.outcome() > static_cast<std::uint32_t>(Outcome::Unknown))
    return false;
  sample.time_ns = from.time_ns();
  sample.moment = static_cast<Moment>(from.moment());
  sample.outcome = static_cast<Outcome>(from.outcome());
  sample.why = from.why();
  sample.object = from.object();
  sample.start = from.start();
  sample.type = from.type();
  sample.frames.assign(from.frames().begin(), from.frames().end());
  sample.frame = from.frame();
  sample.slot = from.slot();
  sample.slot_frame = from.slot_frame();
  sample.place = from.place();
  return true;
}

void put_audit(const model::Audit& audit, Audit& to) {
  to.set_private_pages(audit.private_pages);
  to.set_explained(audit.explained);
  for (const auto& [reason, pages] : audit.reasons) {
    to.add_reasons(reason);
    to.add_reason_pages(pages);
  }
  to.mutable_unexplained_pages()->Add(audit.unexplained_pages.begin(),
                                      audit.unexplained_pages.end());
}
bool get_audit(const Audit& from, model::Audit& audit) {
  if (from.reasons_size() != from.reason_pages_size() || from.explained() > from.private_pages())
    return false;
  audit.private_pages = from.private_pages();
  audit.explained = from.explained();
  for (int i = 0; i < from.reasons_size(); ++i)
    audit.reasons[from.reasons(i)] = from.reason_pages(i);
  audit.unexplained_pages.assign(from.unexplained_pages().begin(), from.unexplained_pages().end());
  return true;
}

}  // namespace

bool put(const model::Event& event, Event& to) {
  return std::visit(
      [&to](const auto& one) {
        using One = std::decay_t<decltype(one)>;
        if constexpr (std::is_same_v<One, model::Fork>)
          put_one(one, *to.mutable_fork());
        else if constexpr (std::is_same_v<One, model::Exec>)
          put_one(one, *to.mutable_exec());
        else if constexpr (std::is_same_v<One, model::Exit>)
          put_one(one, *to.mutable_exit());
        else if constexpr (std::is_same_v<One, model::Mapping>)
          put(one, *to.mutable_mapping());
        else if constexpr (std::is_same_v<One, model::Stack>)
          put_one(one, *to.mutable_stack());
        else if constexpr (std::is_same_v<One, model::Visitor>) {
          to.mutable_visitor()->set_pid(one.pid);
          to.mutable_visitor()->set_command(one.command);
        } else if constexpr (std::is_same_v<One, model::Attach>)
          put_one(one, *to.mutable_attach());
        else
          return false;
        return true;
      },
      event);
}

bool get(const Event& from, model::Event& event) {
  switch (from.event_case()) {
    case Event::kFork:
      event = fork_of(from.fork());
      return true;
    case Event::kExec:
      return get_exec(from.exec(), event.emplace<model::Exec>());
    case Event::kExit:
      return get_exit(from.exit(), event.emplace<model::Exit>());
    case Event::kMapping:
      event = mapping_of(from.mapping());
      return true;
    case Event::kStack:
      return get_stack(from.stack(), event.emplace<model::Stack>());
    case Event::kVisitor:
      event = model::Visitor{from.visitor().pid(), from.visitor().command()};
      return true;
    case Event::kAttach:
      event = attach_of(from.attach());
      return true;
    case Event::EVENT_NOT_SET:
      return false;
  }
  return false;
}

void put(const model::CaptureInfo& info, Capture& to) {
  put_texts(info.command, *to.mutable_command());
  to.set_backend(info.backend);
  to.set_kernel(info.kernel);
  to.set_arch(info.arch);
  to.set_detail(info.detail);
  to.set_snapshot(info.snapshot);
  to.set_started_at_unix_ns(info.started_at_unix_ns);
  to.set_started_ns(info.started_ns);
  to.set_duration_ns(info.duration_ns);
  to.set_events(info.events);
  to.set_lost_events(info.lost_events);
  to.set_lost_control(info.lost_control);
  to.set_unfinished_faults(info.unfinished_faults);
  to.set_untracked_tasks(info.untracked_tasks);
  to.set_undecodable_events(info.undecodable_events);
  if (info.memory_limit) to.set_memory_limit(*info.memory_limit);
  to.set_memory_limit_of(info.memory_limit_of);
  to.set_allocators(info.allocators);
  to.set_endings_known(info.endings_known);
  put_texts(info.blind_spots, *to.mutable_blind_spots());
  put_texts(info.notes, *to.mutable_notes());
  put_counts(info.totals, *to.mutable_totals());
}

bool get(const Capture& from, model::CaptureInfo& info) {
  info.command = texts_of(from.command());
  info.backend = from.backend();
  info.kernel = from.kernel();
  info.arch = from.arch();
  info.detail = from.detail();
  info.snapshot = from.snapshot();
  info.started_at_unix_ns = from.started_at_unix_ns();
  info.started_ns = from.started_ns();
  info.duration_ns = from.duration_ns();
  info.events = from.events();
  info.lost_events = from.lost_events();
  info.lost_control = from.lost_control();
  info.unfinished_faults = from.unfinished_faults();
  info.untracked_tasks = from.untracked_tasks();
  info.undecodable_events = from.undecodable_events();
  if (from.has_memory_limit()) info.memory_limit = from.memory_limit();
  info.memory_limit_of = from.memory_limit_of();
  info.allocators = from.allocators();
  info.endings_known = from.endings_known();
  info.blind_spots = texts_of(from.blind_spots());
  info.notes = texts_of(from.notes());
  return get_counts(from.totals(), info.totals);
}

void put(const model::Process& process, Process& to) {
  to.set_pid(process.pid);
  to.set_boot_start_ns(process.boot_start_ns);
  if (process.parent) to.set_parent(process.parent->value);
  if (process.forked_from) to.set_forked_from(process.forked_from->value);
  to.set_command(process.command);
  to.set_start_ns(process.start_ns);
  if (process.exit_ns) to.set_exit_ns(*process.exit_ns);
  if (process.wait_status) to.set_wait_status(*process.wait_status);
  if (process.forked_space) to.set_forked_space(process.forked_space->value);
  if (process.fork_ns) to.set_fork_ns(*process.fork_ns);
  if (process.fork_took_ns) to.set_fork_took_ns(*process.fork_took_ns);
  for (const model::SpaceId space : process.spaces) to.add_spaces(space.value);
  if (process.inherited_bytes) to.set_inherited_bytes(*process.inherited_bytes);
  if (process.still_shared_bytes) to.set_still_shared_bytes(*process.still_shared_bytes);
  if (process.audit) put_audit(*process.audit, *to.mutable_audit());
  to.set_audit_missing(process.audit_missing);
  if (process.anonymous_bytes) to.set_anonymous_bytes(*process.anonymous_bytes);
  to.set_python(process.python);
  to.mutable_exec_ns()->Add(process.exec_ns.begin(), process.exec_ns.end());
}

bool get(const Process& from, model::Process& process) {
  process.pid = from.pid();
  process.boot_start_ns = from.boot_start_ns();
  if (from.has_parent()) process.parent = model::ProcessKey(from.parent());
  if (from.has_forked_from()) process.forked_from = model::ProcessKey(from.forked_from());
  process.command = from.command();
  process.start_ns = from.start_ns();
  if (from.has_exit_ns()) process.exit_ns = from.exit_ns();
  if (from.has_wait_status()) process.wait_status = from.wait_status();
  if (from.has_forked_space()) process.forked_space = model::SpaceId(from.forked_space());
  if (from.has_fork_ns()) process.fork_ns = from.fork_ns();
  if (from.has_fork_took_ns()) process.fork_took_ns = from.fork_took_ns();
  for (const std::uint32_t space : from.spaces()) process.spaces.emplace_back(space);
  if (from.has_inherited_bytes()) process.inherited_bytes = from.inherited_bytes();
  if (from.has_still_shared_bytes()) process.still_shared_bytes = from.still_shared_bytes();
  process.audit_missing = from.audit_missing();
  if (from.has_anonymous_bytes()) process.anonymous_bytes = from.anonymous_bytes();
  process.python = from.python();
  process.exec_ns.assign(from.exec_ns().begin(), from.exec_ns().end());
  return !from.has_audit() || get_audit(from.audit(), process.audit.emplace());
}

void put(const model::Ending& ending, Ending& to) {
  to.set_tid(ending.tid);
  to.set_from_ns(ending.from_ns);
  if (ending.to_ns != UINT64_MAX) to.set_to_ns(ending.to_ns);
}

model::Ending ending_of(const Ending& from) {
  return {from.tid(), from.from_ns(), from.to_ns() != 0 ? from.to_ns() : UINT64_MAX};
}

void put(const model::AddressSpace& space, Space& to) {
  to.set_id(space.id.value);
  to.set_owner(space.owner.value);
  for (const model::MappingHash hash : space.mappings) to.add_mappings(hash.value);
  put_counts(space.counts, *to.mutable_counts());
}

bool get(const Space& from, model::AddressSpace& space) {
  space.id = model::SpaceId(from.id());
  space.owner = model::ProcessKey(from.owner());
  space.mappings.clear();
  for (const std::uint64_t hash : from.mappings()) space.mappings.emplace_back(hash);
  return get_counts(from.counts(), space.counts);
}

void put(const model::AddressSpace& space, PageCounts& to) {
  to.set_space(space.id.value);
  Delta page, first, last, old_frame, new_frame;
  for (const model::PageCount& row : space.page_counts) {
    to.add_page(page.put(row.page));
    to.add_count(row.count);
    to.add_first_ns(first.put(row.first_ns));
    to.add_last_ns(last.put(row.last_ns));
    to.add_last_address(row.last_address);
    to.add_old_frame(old_frame.put(row.old_frame));
    to.add_new_frame(new_frame.put(row.new_frame));
    to.add_mapping(row.mapping.value);
    to.add_size(row.size);
    to.add_mechanism(static_cast<std::uint32_t>(row.mechanism));
  }
}

bool get(const PageCounts& from, model::AddressSpace& space) {
  const int rows = from.page_size();
  for (const int size : {from.count_size(), from.first_ns_size(), from.last_ns_size(),
                         from.last_address_size(), from.old_frame_size(), from.new_frame_size(),
                         from.mapping_size(), from.size_size(), from.mechanism_size()})
    if (size != rows) return false;
  Delta page, first, last, old_frame, new_frame;
  for (int i = 0; i < rows; ++i) {
    model::PageCount row;
    row.page = page.get(from.page(i));
    row.count = from.count(i);
    row.first_ns = first.get(from.first_ns(i));
    row.last_ns = last.get(from.last_ns(i));
    row.last_address = from.last_address(i);
    row.old_frame = old_frame.get(from.old_frame(i));
    row.new_frame = new_frame.get(from.new_frame(i));
    row.mapping = model::MappingHash(from.mapping(i));
    row.size = from.size(i);
    if (row.size == 0 || from.mechanism(i) >= model::kMechanismNumbers) return false;
    row.mechanism = static_cast<model::Mechanism>(from.mechanism(i));
    space.page_counts.push_back(row);
  }
  return true;
}

void put(const model::Mapping& mapping, Mapping& to) {
  to.set_hash(mapping.hash.value);
  to.set_space(mapping.space.value);
  to.set_start(mapping.start);
  to.set_end(mapping.end);
  to.set_file_offset(mapping.file_offset);
  to.set_inode(mapping.inode);
  to.set_device(mapping.device);
  to.set_flags(mapping.flags);
  to.set_brk_start(mapping.brk_start);
  to.set_brk_end(mapping.brk_end);
  to.set_stack_start(mapping.stack_start);
  to.set_name(mapping.name);
  to.set_path(mapping.path);
}

model::Mapping mapping_of(const Mapping& from) {
  model::Mapping mapping;
  mapping.hash = model::MappingHash(from.hash());
  mapping.space = model::SpaceId(from.space());
  mapping.start = from.start();
  mapping.end = from.end();
  mapping.file_offset = from.file_offset();
  mapping.inode = from.inode();
  mapping.device = from.device();
  mapping.flags = from.flags();
  mapping.brk_start = from.brk_start();
  mapping.brk_end = from.brk_end();
  mapping.stack_start = from.stack_start();
  mapping.name = from.name();
  mapping.path = from.path();
  return mapping;
}

void put(const model::Watch& watch, Watch& to) {
  to.set_expression(watch.expression);
  to.set_space(watch.space.value);
  if (watch.at_fork) put_sample(*watch.at_fork, *to.mutable_at_fork());
  if (watch.last) put_sample(*watch.last, *to.mutable_last());
}

bool get(const Watch& from, model::Watch& watch) {
  watch.expression = from.expression();
  watch.space = model::SpaceId(from.space());
  if (from.has_at_fork() && !get_sample(from.at_fork(), watch.at_fork.emplace())) return false;
  return !from.has_last() || get_sample(from.last(), watch.last.emplace());
}

}  // namespace cowtrace::trace
