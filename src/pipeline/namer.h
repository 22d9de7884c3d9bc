// SPDX-License-Identifier: Apache-2.0
// Finds names while the family runs, in a thread of its own with a resolver of its own: a walk of a
// Python heap or the symbols of a large program take tenths of a second, in which events have to be
// taken and the screen has to be drawn. It asks nothing of a traced process: it is told what was
// captured, and opens the files that were mapped.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "analysis/live_counts.h"
#include "model/session.h"
#include "objects/captured_resolver.h"
#include "pipeline/capture_listener.h"
#include "python/resolver.h"

namespace cowtrace::pipeline {

class Namer final : public CaptureListener {
 public:
  // A break whose object and cause are wanted.
  struct Break {
    model::SpaceId space;
    std::uint64_t address = 0, time_ns = 0, bytes = 0;
    model::MappingHash mapping;  // this and the next are handed back
    std::uint32_t site = 0;
    model::Cause cause = model::Cause::Unknown;  // what the kernel knows of it, then what is known
    const analysis::LiveCounts::Name* object =
        nullptr;  // valid as long as the Namer; nullptr: only the mapping is known
  };
  struct Site {
    model::StackHash hash;
    model::SpaceId space;
    std::uint64_t ip = 0, time_ns = 0;
    std::vector<model::StackFrame> frames;
  };
  struct Answers {
    std::vector<Break> breaks;
    std::vector<std::pair<std::uint32_t, Site>> sites;  // by what they were asked as
  };

  Namer();
  ~Namer() override;
  Namer(const Namer&) = delete;
  Namer& operator=(const Namer&) = delete;

  void on_maps(model::SpaceId space, pid_t pid,
               const std::vector<process::MapsEntry>& maps) override;
  void on_registered(model::SpaceId space, const std::vector<model::Object>& objects) override;
  void on_inherit(model::SpaceId child, model::SpaceId parent) override;
  void on_heap(model::SpaceId space, std::uint64_t time_ns,
               const std::shared_ptr<python::Heap>& heap) override;
  void on_code(model::SpaceId space, std::uint64_t code,
               const std::optional<python::CodeInfo>& info) override;

  void ask(std::vector<Break> breaks);
  // `stack`: nullptr if only the instruction pointer is known.
  void ask(std::uint32_t as, Site site, const model::Stack* stack);
  // What has been found since the last call.
  [[nodiscard]] Answers take();
  // The thread ends, and what was not answered never is. Nobody else uses what on_heap() was told
  // of any more.
  void stop();

 private:
  using Job = std::function<void()>;

  void enqueue(Job job);
  void work();
  void answer(std::vector<Break>& breaks);
  void answer(Site& site);

  // Of the thread alone.
  objects::CapturedResolver* natives_ = nullptr;
  std::unique_ptr<python::PythonResolver> resolver_;
  model::Session stacks_;  // nothing but the stacks that were asked for
  std::unordered_map<const model::Object*, std::unique_ptr<analysis::LiveCounts::Name>> names_;

  std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  std::vector<Job> jobs_;
  Answers answers_;
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace cowtrace::pipeline
