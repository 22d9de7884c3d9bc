// SPDX-License-Identifier: Apache-2.0
// Walks a Session as (process, page) groups: processes by key, pages by address, touches by time.
// The spaces of a process (one more for each exec) are merged here, for 8 bytes a resolution of the
// process, and only while walking.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "analysis/touch.h"
#include "model/session.h"

namespace cowtrace::analysis {

struct PageGroup {
  model::ProcessKey process;
  std::size_t number = 0;  // of all groups, in the order of the walk
  std::uint64_t page = 0;
  std::uint64_t size = 0;  // of the largest page given at this address, at least a base page
  std::span<const Touch> touches;  // never empty; valid during the callback

  [[nodiscard]] std::uint64_t breaks() const;
  // The last break, or the last touch if nothing was broken.
  [[nodiscard]] const Touch& decisive() const;
};

class PageGroups {
 public:
  using Callback = std::function<void(const PageGroup&)>;

  explicit PageGroups(const model::Session& session);

  void for_each(const Callback& callback) const;

 private:
  using Spaces = std::vector<const model::AddressSpace*>;

  class Grouper;

  void walk(const Spaces& spaces, Grouper& grouper) const;

  std::vector<Spaces> spaces_of_;  // by process key
};

}  // namespace cowtrace::analysis
