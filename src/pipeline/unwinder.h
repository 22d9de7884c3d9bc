// SPDX-License-Identifier: Apache-2.0
// Completes the stacks that BPF could not walk to their ends, in a thread of its own, and tells BPF
// the rules that it needed, so that the next one is walked there. Everything it needs to know of
// programs it reads itself, while they run.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/fd.h"
#include "capture/capture.h"
#include "model/events.h"
#include "objects/code_rules.h"
#include "process/elf_module.h"

namespace cowtrace::pipeline {

class Unwinder {
 public:
  // `capture` outlives this. `budget`: of all files of traced processes.
  Unwinder(capture::Capture& capture, std::shared_ptr<process::DebugBudget> budget);
  ~Unwinder();
  Unwinder(const Unwinder&) = delete;
  Unwinder& operator=(const Unwinder&) = delete;

  // Once, with the privileges that the thread is to have: they are of each thread.
  void start();
  // Waits until every copy that was sent by now has been dealt with; not for long.
  void settle();
  // Nothing is sent any more: waits for the rest, a little longer, and ends the thread.
  void finish();
  // The stacks that were completed since the last call.
  [[nodiscard]] std::vector<model::Stack> answers();

 private:
  // Of processes that have the same code at the same addresses.
  struct Scope {
    std::unique_ptr<objects::CodeRules> rules;  // nullptr: not known (yet)
    int failures = 0;
  };

  void wait_for_answers(std::chrono::milliseconds longest);
  void stop();
  void work();
  Scope& scope_of(const capture::StackCopy& copy);
  [[nodiscard]] model::Stack complete(const capture::StackCopy& copy);

  capture::Capture& capture_;
  Fd wake_, poll_;

  // Of the thread alone.
  process::ModuleCache modules_;
  std::shared_ptr<process::ElfModule> vdso_;
  std::unordered_map<std::uint64_t, Scope> scopes_;

  std::mutex mutex_;  // of what follows
  std::condition_variable answered_;
  std::vector<model::Stack> answers_;
  std::uint64_t dealt_with_ = 0;  // copies
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace cowtrace::pipeline
