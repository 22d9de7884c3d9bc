// SPDX-License-Identifier: Apache-2.0
// million_report FILE.html [BREAKS]: an HTML report of a family that never was, of the size that the page has to bear: a million breaks
// in eight workers, 200,000 named objects, 2,000 stacks, times and causes in disorder. No tracing, so that every machine can make it.
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "analysis/join.h"
#include "report/html.h"
#include "support/session_builder.h"

namespace cowtrace {
namespace {

constexpr std::uint64_t kBase = 0x7f00'0000'0000;
constexpr std::uint64_t kObjectSize = 1520;  // so that most pages hold parts of four
constexpr std::uint64_t kObjects = 200'000;
constexpr int kWorkers = 8;

class Names : public model::Resolver {
 public:
  Names() {
    for (std::uint64_t i = 0; i < kObjects; ++i) {
      model::Object object;
      object.kind = model::ObjectKind::Python;
      object.address = kBase + i * kObjectSize;
      object.size = kObjectSize - 16;
      object.name = "shop.catalogue.PRODUCTS[" + std::to_string(i) + "].attributes";
      object.type = i % 3 == 0 ? "dict" : i % 3 == 1 ? "shop.models.Product" : "str";
      objects_.push_back(std::move(object));
    }
  }

  const model::Object* object_at(model::SpaceId, std::uint64_t address, std::uint64_t) override {
    const std::uint64_t at = (address - kBase) / kObjectSize;
    return at < kObjects ? &objects_[at] : nullptr;
  }
  model::Write write_at(model::SpaceId space, std::uint64_t address, std::uint64_t time) override {
    return {object_at(space, address, time), static_cast<model::Cause>(1 + address / 16 % 5), "ob_refcnt"};
  }
  std::vector<const model::Object*> objects_in(model::SpaceId, std::uint64_t start, std::uint64_t end, std::uint64_t) override {
    std::vector<const model::Object*> found;
    for (std::uint64_t at = (start - kBase) / kObjectSize; at < kObjects && objects_[at].address < end; ++at) found.push_back(&objects_[at]);
    return found;
  }
  std::vector<model::StackFrame> frames_at(model::SpaceId, std::uint64_t ip, bool, std::uint64_t) override {
    model::StackFrame frame;
    frame.function = "function_" + std::to_string(ip);
    frame.file = "src/module_" + std::to_string(ip % 97) + ".c";
    frame.line = static_cast<std::uint32_t>(ip % 1000);
    frame.module = "/usr/lib/libshop" + std::to_string(ip % 13) + ".so";
    return {frame};
  }

 private:
  std::vector<model::Object> objects_;
};

int write_report(const char* path, std::uint64_t breaks) {
  test::SessionBuilder builder;
  std::mt19937_64 random(20260101);  // the same on every machine
  builder.session.capture.command = {"shop", "--workers=8"};
  builder.session.capture.duration_ns = 60'000'000'000;
  const auto server = builder.process(100, "shop");
  std::vector<model::ProcessKey> workers;
  for (int i = 0; i < kWorkers; ++i) {
    const auto key = builder.process(101 + i, "shop worker", server);
    workers.push_back(key);
    model::Process& process = builder.session.processes[key.value];
    process.fork_ns = process.start_ns = test::SessionBuilder::kStarted + 1'000'000'000ULL * i;
    process.inherited_bytes = breaks / kWorkers * kPageSize * 5 / 4;
  }
  model::Mapping arena;
  arena.start = kBase;
  arena.end = kBase + breaks * kPageSize;
  const auto mapping = builder.mapping(arena);
  std::vector<model::StackHash> stacks;
  for (int i = 0; i < 2000; ++i) {
    std::vector<std::uint64_t> frames;
    for (int depth = 0; depth < 14; ++depth) frames.push_back(1 + random() % (depth < 5 ? 2000 : 40));
    stacks.push_back(builder.stack(server, frames));
  }
  for (std::uint64_t i = 0; i < breaks; ++i) {
    const std::size_t worker = i % kWorkers;
    model::Resolution event;
    event.mapping = mapping;
    event.stack = stacks[random() % 100 < 80 ? random() % 100 : random() % stacks.size()];
    event.ip = 1;
    event.old_frame = 0x100000 + i / kWorkers;
    event.new_frame = 0x400000 + random() % 0x400000;
    event.latency_ns = 1000;
    event.gc_collecting = random() % 10 == 0;
    builder.write(workers[worker], worker * 1'000'000'000 + random() % 50'000'000'000, kBase + i / kWorkers * kPageSize + random() % 512 * 8, event);
  }
  Names names;
  const analysis::Summary summary = analysis::join(builder.finish(), names);
  std::ofstream out(path, std::ios::binary);
  report::ReportOptions options;
  options.version = "0.0.0-test";
  const Status written = report::HtmlReporter(options).write(summary, builder.session, names, out);
  if (!written) std::cerr << "million_report: " << written.error().message() << '\n';
  return written ? 0 : 1;
}

}  // namespace
}  // namespace cowtrace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::cerr << "usage: million_report FILE.html [BREAKS]\n";
    return 2;
  }
  return cowtrace::write_report(argv[1], argc == 3 ? std::strtoull(argv[2], nullptr, 10) : 1'000'000);
}
