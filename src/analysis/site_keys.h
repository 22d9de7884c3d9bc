// SPDX-License-Identifier: Apache-2.0
// Which site a break belongs to: SiteKeys says when two stacks are the same one, SiteIndex finds a
// break's number in Summary::sites.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "analysis/summary.h"
#include "analysis/touch.h"
#include "model/session.h"

namespace cowtrace::analysis {

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
  // `sites` are those of join()'s Summary of the same session.
  SiteIndex(const model::Session& session, const std::vector<SiteSummary>& sites);

  // An index of `sites`; none for a row of counts and for a stack that broke nothing.
  [[nodiscard]] std::optional<std::uint32_t> of(const Touch& touch) const;

 private:
  SiteKeys keys_;
  std::map<SiteKeys::Key, std::uint32_t> index_;
};

}  // namespace cowtrace::analysis
