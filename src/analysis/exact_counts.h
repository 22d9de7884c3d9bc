// SPDX-License-Identifier: Apache-2.0
// The kernel's own counters against the events that arrived: counts that no lost event can make
// wrong, and notes for the reader where the two do not agree.
#pragma once

#include <string>
#include <vector>

#include "analysis/counts.h"
#include "model/session.h"

namespace cowtrace::analysis {

struct CountAndBytes {
  ByMechanism count{};
  ByMechanism bytes{};

  [[nodiscard]] std::uint64_t resolutions() const;
  [[nodiscard]] std::uint64_t breaks() const;
  [[nodiscard]] std::uint64_t copied_bytes() const;
};

class ExactCounts {
 public:
  explicit ExactCounts(const model::Session& session);

  [[nodiscard]] const CountAndBytes& totals() const { return totals_; }
  [[nodiscard]] const CountAndBytes& of(model::ProcessKey process) const {
    return by_process_[process.value];
  }
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

 private:
  void compare(const model::CaptureInfo& capture, const CountAndBytes& kernel,
               std::uint64_t counted_in_spaces, std::uint64_t seen);

  CountAndBytes totals_;
  std::vector<CountAndBytes> by_process_;
  std::vector<std::string> notes_;
};

}  // namespace cowtrace::analysis
