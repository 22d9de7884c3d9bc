// SPDX-License-Identifier: Apache-2.0
// Records a trace once more, from its session and its facts: rerecord FROM.cow TO.cow.
#include <iostream>
#include <utility>

#include "pipeline/outputs.h"
#include "trace/reader.h"

namespace cowtrace {
namespace {

void tell(const model::Session& session, pipeline::Recorder& recorder) {
  recorder.begin(session.capture);
  for (const auto& [hash, mapping] : session.mappings) recorder.add(mapping);
  for (const auto& [hash, stack] : session.stacks) recorder.add(stack);
  for (const auto& [pid, command] : session.visitors) recorder.add(model::Visitor{pid, command});
  for (const model::AddressSpace& space : session.spaces)
    for (const model::Resolution& event : space.resolutions) recorder.add(event);
}

Status rerecord(const char* from, const char* to) {
  auto trace = trace::read_file(from);
  if (!trace) return tl::unexpected(trace.error());
  auto outputs = pipeline::Outputs::open({to}, {});
  if (!outputs) return tl::unexpected(outputs.error());
  tell(*trace->session, outputs->recorder());
  pipeline::StageLine quiet(false);
  return outputs->write(*trace->session, std::move(trace->facts), quiet);
}

}  // namespace
}  // namespace cowtrace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: rerecord FROM.cow TO.cow\n";
    return 2;
  }
  const auto done = cowtrace::rerecord(argv[1], argv[2]);
  if (!done) std::cerr << "rerecord: " << done.error().message() << '\n';
  return done ? 0 : 1;
}
