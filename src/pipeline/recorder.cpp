// SPDX-License-Identifier: Apache-2.0
#include "pipeline/recorder.h"

#include "analysis/touch.h"

namespace cowtrace::pipeline {
namespace {

// What reports ask and the join does not: it leaves out first writes, which are no touches of
// shared pages.
void ask_for_first_writes(const model::Session& session, model::Resolver& resolver) {
  const auto ask = [&](const analysis::Touch& touch) {
    if (touch.mechanism == model::Mechanism::FirstWrite)
      static_cast<void>(resolver.write_at(touch.space->id, touch.address, touch.last_ns));
  };
  for (const model::AddressSpace& space : session.spaces) {
    for (const model::Resolution& event : space.resolutions) ask(analysis::touch_of(space, event));
    for (const model::PageCount& row : space.page_counts) ask(analysis::touch_of(space, row));
  }
}

}  // namespace

Status Recorder::finish(const model::Session& session, trace::RecordingResolver& resolver) {
  if (!active()) return {};
  ask_for_first_writes(session, resolver);
  const trace::Answers answers = resolver.take();
  Status result;
  for (const auto& writer : writers_)
    if (auto status = writer->finish(session, answers); !status && result) result = std::move(status);
  return result;
}

}  // namespace cowtrace::pipeline
