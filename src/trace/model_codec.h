// SPDX-License-Identifier: Apache-2.0
// The parts of a Session as messages of a trace file, and back. What is read is untrusted: where a
// message contradicts itself or names a number that does not exist, get() is false.
#pragma once

#include <trace.pb.h>

#include "model/session.h"

namespace cowtrace::trace {

// All events but resolutions and populates, which are not for messages; false: it was one of those.
bool put(const model::Event& event, Event& to);
void put(const model::CaptureInfo& info, Capture& to);
void put(const model::Process& process, Process& to);
void put(const model::AddressSpace& space, Space& to);
void put(const model::AddressSpace& space, PageCounts& to);
void put(const model::Mapping& mapping, Mapping& to);
void put(const model::Watch& watch, Watch& to);
void put(const model::Ending& ending, Ending& to);

// False also for an event of a kind that this program does not know.
[[nodiscard]] bool get(const Event& from, model::Event& event);
[[nodiscard]] bool get(const Capture& from, model::CaptureInfo& info);
[[nodiscard]] bool get(const Process& from, model::Process& process);
[[nodiscard]] bool get(const Space& from, model::AddressSpace& space);
[[nodiscard]] bool get(const PageCounts& from, model::AddressSpace& space);
[[nodiscard]] bool get(const Watch& from, model::Watch& watch);
[[nodiscard]] model::Ending ending_of(const Ending& from);
model::Mapping mapping_of(const Mapping& from);

}  // namespace cowtrace::trace
