// SPDX-License-Identifier: Apache-2.0
// Who wrote a page first, which is who allocated it, or nearly: a page that was copied is followed
// back through the forks to that write.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "analysis/touch.h"
#include "model/session.h"

namespace cowtrace::analysis {

class FirstWrites {
 public:
  explicit FirstWrites(const model::Session& session);

  // Whether the capture was to tell them (--allocators).
  [[nodiscard]] bool recorded() const { return session_.capture.allocators; }
  // The last first write to the page of `touch` before it, in its space or in those that it was
  // forked from; nullptr: it was not seen.
  [[nodiscard]] const model::Resolution* of(const Touch& touch) const;
  // exec itself wrote this, arguments and the end of .data: on behalf of no code of the program
  // that it was for.
  [[nodiscard]] bool is_of_exec(const model::Resolution& write) const;

 private:
  struct Page {
    std::uint64_t start, size, time_ns;
    const model::Resolution* write;
  };
  using Pages = std::vector<Page>;  // by start and time

  static const model::Resolution* find(const Pages& pages, std::uint64_t page,
                                       std::uint64_t before_ns);

  const model::Session& session_;
  std::unordered_map<model::SpaceId, Pages> pages_of_;
};

}  // namespace cowtrace::analysis
