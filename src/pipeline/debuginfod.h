// SPDX-License-Identifier: Apache-2.0
// Debug files from debuginfod's servers, where the environment names some: asked for through a
// helper process, and believed only as far as they are what was asked for.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "pipeline/debuginfod_wire.h"
#include "process/debug_source.h"

namespace cowtrace::pipeline {

struct DebuginfodLimits {
  std::chrono::milliseconds still{30'000};  // longest wait in which nothing comes in
  std::chrono::milliseconds all{300'000};   // longest wait for all files of a run together
  std::uint64_t most_bytes =
      std::uint64_t{2} * 1024 * 1024 * 1024;  // of a file: as much as process::DwarfInfo reads
};

class Debuginfod final : public process::DebugSource {
 public:
  // nullptr unless DEBUGINFOD_URLS names a server: then nothing is started and nothing costs
  // anything. Before there are threads. `say`: a long wait is told on standard error.
  [[nodiscard]] static std::shared_ptr<Debuginfod> start_if_wanted(bool say);

  // With a helper that runs, at the other end of the socket; or with none, and why.
  Debuginfod(Result<Fd> helper, bool say, const DebuginfodLimits& limits = {});

  [[nodiscard]] std::unique_ptr<process::ElfFile> find(const std::string& build_id) override;

  // What could not be had and why; empty if all was answered. That no server has a file is an
  // answer.
  [[nodiscard]] std::vector<std::string> notes() const;

  [[nodiscard]] std::uint64_t asked() const { return asked_; }
  [[nodiscard]] std::uint64_t found() const { return found_; }
  [[nodiscard]] std::uint64_t failed() const { return failed_; }
  [[nodiscard]] std::uint64_t not_asked() const {
    return not_asked_;
  }  // for nothing was to be expected any more

 private:
  using Clock = std::chrono::steady_clock;

  Answer ask(const std::string& build_id);
  Answer wait_for_answer();
  Result<std::unique_ptr<process::ElfFile>> checked(Fd file, const std::string& build_id) const;
  void fail_one(const std::string& why);
  // The helper ends, and nothing is asked any more.
  void give_up(const std::string& why);

  Fd helper_;
  bool say_;
  DebuginfodLimits limits_;
  Clock::duration waited_{};
  std::string gave_up_;                            // why
  std::map<std::string, std::uint64_t> failures_;  // by why
  std::uint64_t asked_ = 0, found_ = 0, failed_ = 0, not_asked_ = 0;
};

}  // namespace cowtrace::pipeline
