// SPDX-License-Identifier: Apache-2.0
// Hand-made sessions: processes, spaces, mappings, stacks and resolutions, with the kernel's
// counters kept as the kernel would, so that each test only says what is special about it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "base/units.h"
#include "model/session.h"

namespace cowtrace::test {

class SessionBuilder {
 public:
  static constexpr std::uint64_t kStarted = 1'000'000'000;  // CLOCK_MONOTONIC at capture start

  SessionBuilder() {
    session.capture.started_ns = kStarted;
    session.capture.duration_ns = 1'000'000;
  }

  // A process with one address space; forked from `parent` if there is one.
  model::ProcessKey process(std::int32_t pid, std::string command,
                            std::optional<model::ProcessKey> parent = std::nullopt) {
    model::Process made;
    made.key = model::ProcessKey(static_cast<std::uint32_t>(session.processes.size()));
    made.pid = pid;
    made.command = std::move(command);
    made.parent = made.forked_from = parent;
    if (parent) made.forked_space = session.process(*parent).spaces.back();
    made.start_ns = kStarted;
    session.processes.push_back(made);
    session.newest_of_pid[pid] = made.key;
    add_space(made.key);
    return made.key;
  }

  // What exec does: the next writes go to a new address space.
  model::SpaceId add_space(model::ProcessKey owner) {
    model::AddressSpace space;
    space.id = model::SpaceId(static_cast<std::uint32_t>(session.spaces.size() + 1));
    space.owner = owner;
    session.spaces.push_back(space);
    session.process(owner).spaces.push_back(space.id);
    return space.id;
  }

  model::MappingHash mapping(model::Mapping mapping) {
    mapping.hash = model::MappingHash(session.mappings.size() + 1);
    session.mappings.emplace(mapping.hash, mapping);
    for (auto& space : session.spaces) space.mappings.push_back(mapping.hash);
    return mapping.hash;
  }

  model::StackHash stack(model::ProcessKey process, std::vector<std::uint64_t> frames,
                         bool truncated = false, std::vector<model::PythonFrame> python = {}) {
    model::Stack made;
    made.python = std::move(python);
    made.hash = model::StackHash(session.stacks.size() + 1);
    made.space = session.process(process).spaces.back();
    made.frames = std::move(frames);
    made.truncated = truncated;
    session.stacks.emplace(made.hash, made);
    return made.hash;
  }

  // A copy of a base page unless `event` says otherwise; into the newest space of `process`.
  // `time_ns` counts from capture start.
  void write(model::ProcessKey process, std::uint64_t time_ns, std::uint64_t address,
             model::Resolution event = {}) {
    model::AddressSpace& space = newest_space(process);
    event.time_ns = kStarted + time_ns;
    event.address = address;
    event.space = space.id;
    if (event.pid == 0) event.pid = session.process(process).pid;
    if (event.size == 0) event.size = kPageSize;
    count(space.counts, event.mechanism, event.size);
    count(session.capture.totals, event.mechanism, event.size);
    ++session.capture.events;
    space.resolutions.push_back(event);
  }

  // A resolution that the kernel counted but whose event was lost.
  void lose(model::ProcessKey process, model::Mechanism mechanism = model::Mechanism::Copy) {
    count(newest_space(process).counts, mechanism, kPageSize);
    count(session.capture.totals, mechanism, kPageSize);
    ++session.capture.lost_events;
  }

  model::AddressSpace& newest_space(model::ProcessKey process) {
    const model::SpaceId id = session.process(process).spaces.back();
    return *std::find_if(session.spaces.begin(), session.spaces.end(),
                         [&](const model::AddressSpace& space) { return space.id == id; });
  }

  // What Session::finish promises.
  model::Session& finish() {
    for (model::AddressSpace& space : session.spaces)
      std::sort(space.resolutions.begin(), space.resolutions.end(),
                [](const model::Resolution& a, const model::Resolution& b) {
                  return std::pair(page_of(a.address), a.time_ns) <
                         std::pair(page_of(b.address), b.time_ns);
                });
    return session;
  }

  model::Session session;

 private:
  static void count(model::Counts& counts, model::Mechanism mechanism, std::uint64_t bytes) {
    ++counts.count[static_cast<std::size_t>(mechanism)];
    counts.bytes[static_cast<std::size_t>(mechanism)] += bytes;
  }
};

}  // namespace cowtrace::test
