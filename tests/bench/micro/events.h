// SPDX-License-Identifier: Apache-2.0
// The events that would have made a session, in the order in which the kernel would have told them.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "model/session.h"

namespace cowtrace::bench {

// `session` is finished, has one address space a process, and its mappings are everybody's.
inline std::vector<model::Event> events_of(const model::Session& session) {
  std::vector<model::Event> events;
  for (const model::Process& process : session.processes) {
    if (process.forked_from) {
      model::Fork fork;
      fork.time_ns = process.start_ns;
      fork.parent_pid = fork.parent_tid = session.process(*process.forked_from).pid;
      fork.child_pid = fork.child_tid = process.pid;
      fork.child_start_ns = process.start_ns;
      fork.parent_space = *process.forked_space;
      fork.child_space = process.spaces.back();
      fork.command = process.command;
      events.emplace_back(fork);
    } else {
      model::Exec exec;
      exec.time_ns = process.start_ns;
      exec.pid = exec.tid = exec.old_tid = process.pid;
      exec.new_space = process.spaces.back();
      exec.command = process.command;
      events.emplace_back(exec);
    }
  }
  for (const auto& [hash, known] : session.mappings) {
    model::Mapping mapping = known;
    mapping.space = session.spaces.front().id;
    events.emplace_back(mapping);
  }
  for (const auto& [hash, stack] : session.stacks) events.emplace_back(stack);
  std::vector<const model::Resolution*> resolutions;
  for (const model::AddressSpace& space : session.spaces)
    for (const model::Resolution& resolution : space.resolutions)
      resolutions.push_back(&resolution);
  std::sort(resolutions.begin(), resolutions.end(), [](const auto* a, const auto* b) {
    return std::pair(a->time_ns, a->address) < std::pair(b->time_ns, b->address);
  });
  for (const model::Resolution* resolution : resolutions) events.emplace_back(*resolution);
  return events;
}

}  // namespace cowtrace::bench
