// SPDX-License-Identifier: Apache-2.0
// A family that never was, of any size and the same on every machine: eight workers, as many breaks
// as are wanted, named objects, 2,000 stacks, times and causes in disorder.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/units.h"
#include "model/objects.h"
#include "support/session_builder.h"

namespace cowtrace::bench {

inline constexpr std::uint64_t kBase = 0x7f00'0000'0000;
inline constexpr std::uint64_t kObjectSize = 1520;  // so that most pages hold parts of four
inline constexpr int kWorkers = 8;

class Names : public model::Resolver {
 public:
  explicit Names(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
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
    return at < objects_.size() ? &objects_[at] : nullptr;
  }
  model::Write write_at(model::SpaceId space, std::uint64_t address, std::uint64_t time) override {
    return {object_at(space, address, time), static_cast<model::Cause>(1 + address / 16 % 5),
            "ob_refcnt"};
  }
  std::vector<const model::Object*> objects_in(model::SpaceId, std::uint64_t start,
                                               std::uint64_t end, std::uint64_t) override {
    std::vector<const model::Object*> found;
    for (std::uint64_t at = (start - kBase) / kObjectSize;
         at < objects_.size() && objects_[at].address < end; ++at)
      found.push_back(&objects_[at]);
    return found;
  }
  std::vector<model::StackFrame> frames_at(model::SpaceId, std::uint64_t ip, bool,
                                           std::uint64_t) override {
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

class Family {
 public:
  static constexpr std::uint64_t kObjects = 200'000;

  // An object a break, but no more than kObjects.
  explicit Family(std::uint64_t breaks) : names(std::min(breaks, kObjects)) {
    std::mt19937_64 random(20260101);
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
      for (int depth = 0; depth < 14; ++depth)
        frames.push_back(1 + random() % (depth < 5 ? 2000 : 40));
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
      builder.write(workers[worker], worker * 1'000'000'000 + random() % 50'000'000'000,
                    kBase + i / kWorkers * kPageSize + random() % 512 * 8, event);
    }
    builder.finish();
  }

  [[nodiscard]] const model::Session& session() const { return builder.session; }

  test::SessionBuilder builder;
  Names names;
};

}  // namespace cowtrace::bench
