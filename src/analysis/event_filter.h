// SPDX-License-Identifier: Apache-2.0
// Which events an export is about: "pid=4711", "mechanism=copy", "cause=refcount", "phase=ending",
// "address=0x7f00-0x8000".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "analysis/touch.h"
#include "base/result.h"
#include "model/session.h"

namespace cowtrace::analysis {

// Conditions of one kind are alternatives, those of different kinds must all hold. Without any,
// everything matches.
class EventFilter {
 public:
  // One condition KEY=VALUE. Keys: process (a key of the report), pid (of the process whose memory
  // it is), mechanism, cause, phase (starting, running, ending; rows of counts have none), address
  // (what was written: one base page, or START-END without END). Fails on anything else, saying
  // what there is.
  [[nodiscard]] Status add(std::string_view condition);

  [[nodiscard]] bool everything() const { return conditions_.empty(); }
  // As they were given.
  [[nodiscard]] const std::vector<std::string>& conditions() const { return conditions_; }

  // `cause` is the one that reports give: cause_of(). `process` owns the memory.
  [[nodiscard]] bool matches(const model::Process& process, const Touch& touch,
                             model::Cause cause) const;

 private:
  [[nodiscard]] Status add_number(std::vector<std::uint32_t>& to, std::string_view condition,
                                  std::string_view value);
  [[nodiscard]] Status add_address(std::string_view condition, std::string_view value);

  std::vector<std::string> conditions_;
  std::vector<std::uint32_t> processes_, pids_;
  std::vector<model::Mechanism> mechanisms_;
  std::vector<model::Cause> causes_;
  std::vector<model::Phase> phases_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> addresses_;  // [first, last]
};

}  // namespace cowtrace::analysis
