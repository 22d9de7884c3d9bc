// SPDX-License-Identifier: Apache-2.0
// Which site a break belongs to: SiteKeys says when two stacks hold the same addresses, SiteIndex
// finds a break's number in Summary::sites, where stacks that have the same names are one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "analysis/touch.h"
#include "model/session.h"

namespace cowtrace::analysis {

// Where the names of a stack are looked up.
struct StackPlace {
  model::StackHash stack;     // 0: only `ip` is known
  model::SpaceId space;       // where `ip` is
  std::uint64_t ip = 0;       // 0: not known
  std::uint64_t time_ns = 0;  // CLOCK_MONOTONIC
};

class SiteKeys {
 public:
  // Either a stack, or an instruction pointer of a program image.
  using Key = std::tuple<model::StackHash, model::SpaceId, std::uint64_t>;

  explicit SiteKeys(const model::Session& session);

  [[nodiscard]] Key of(model::StackHash stack, model::SpaceId space, std::uint64_t ip) const;

 private:
  // The first space that ran the program image that `space` runs.
  [[nodiscard]] model::SpaceId image(model::SpaceId space) const;

  std::unordered_map<model::SpaceId, model::SpaceId> image_of_;
  std::unordered_map<model::StackHash, model::StackHash> canonical_;
};

class SiteIndex {
 public:
  using Numbers = std::map<SiteKeys::Key, std::uint32_t>;  // indices of Summary::sites

  explicit SiteIndex(const model::Session& session) : keys_(session) {}

  [[nodiscard]] const SiteKeys& keys() const { return keys_; }
  void set(Numbers numbers) { numbers_ = std::move(numbers); }
  // An index of Summary::sites; none for a row of counts and for a stack that broke nothing.
  [[nodiscard]] std::optional<std::uint32_t> of(const Touch& touch) const;

 private:
  SiteKeys keys_;
  Numbers numbers_;
};

}  // namespace cowtrace::analysis
