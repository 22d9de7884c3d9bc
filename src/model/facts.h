// SPDX-License-Identifier: Apache-2.0
// What is known about the resolutions of a session besides the events themselves: which object each
// of them wrote, which objects share its page, and what its stack frames are called.
// analysis::resolve() makes it once, a trace stores it, every report reads it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/objects.h"
#include "model/stack_names.h"

namespace cowtrace::model {

// What a write did to the object it went to.
struct Effect {
  Cause cause = Cause::Unknown;
  std::optional<std::uint32_t> stored;  // bytes that the instruction stored; none: not known
  std::uint32_t field = 0;              // index of Facts::fields
  friend constexpr auto operator<=>(const Effect&, const Effect&) = default;
};

// What one resolution wrote to.
struct Target {
  static constexpr std::uint32_t kNone = UINT32_MAX;
  std::uint32_t object = kNone;  // index of Facts::objects; kNone: only the mapping is known
  std::uint32_t effect = 0;      // index of Facts::effects
  friend constexpr bool operator==(const Target&, const Target&) = default;
};

// Lists of ascending numbers, one after the other. Consecutive numbers take 8 bytes together.
class NumberLists {
 public:
  struct Run {
    std::uint32_t first = 0, count = 0;
  };

  // Appends one list.
  void add(std::span<const std::uint32_t> ascending) {
    for (const std::uint32_t number : ascending) {
      const bool is_first = runs_.size() == ends_.back();
      if (!is_first && runs_.back().first + runs_.back().count == number)
        ++runs_.back().count;
      else
        runs_.push_back({number, 1});
    }
    ends_.push_back(runs_.size());
  }
  // Empty where there is no such list.
  [[nodiscard]] std::span<const Run> at(std::size_t list) const {
    if (list >= size()) return {};
    return std::span(runs_).subspan(ends_[list], ends_[list + 1] - ends_[list]);
  }
  [[nodiscard]] std::size_t size() const { return ends_.size() - 1; }

 private:
  std::vector<Run> runs_;
  std::vector<std::size_t> ends_ = {0};  // of `runs_`, one more than there are lists
};

class Facts {
 public:
  // The target of a resolution: `space` is an index of Session::spaces, `place` one of its
  // resolutions and, behind these, of its page_counts. What the facts do not cover, as in a trace
  // that was cut off, has no object and no cause.
  [[nodiscard]] Target target(std::size_t space, std::size_t place) const {
    return space < targets.size() && place < targets[space].size() ? targets[space][place]
                                                                   : Target();
  }
  [[nodiscard]] const Effect& effect(Target target) const { return effects[target.effect]; }
  [[nodiscard]] const std::string& field(const Effect& effect) const {
    return fields[effect.field];
  }

  std::vector<const Object*> objects;         // no two are the same; untrusted names
  std::shared_ptr<const void> objects_owner;  // nullptr: somebody else keeps them alive
  std::vector<std::string> fields = {{}};     // untrusted; the first one is empty
  std::vector<Effect> effects = {{}};         // the first one: nothing is known
  std::vector<std::vector<Target>> targets;   // by index of Session::spaces and by place
  NumberLists neighbours;  // objects by number of the page group (analysis/page_groups.h)
  StackNames stack_names;
};

}  // namespace cowtrace::model
