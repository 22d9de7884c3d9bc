// SPDX-License-Identifier: Apache-2.0
// Gives every object that a report shows a number, and later the id that the report uses: what the
// facts name, and the mapping where they name nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "analysis/mapping_ranges.h"
#include "analysis/page_groups.h"
#include "base/ids.h"
#include "model/facts.h"
#include "model/session.h"

namespace cowtrace::analysis {

using ObjectId = Id<struct ReportObjectTag>;  // index of Summary::objects

// What one page of one process holds. Numbers are those of ObjectIndex; kNone: not known.
struct PageObjects {
  static constexpr std::uint32_t kNone = model::Target::kNone;
  std::vector<std::uint32_t> written;     // one a touch, in their order
  std::vector<std::uint32_t> neighbours;  // ascending; empty when the page was not broken
};

class ObjectIndex {
 public:
  // Both outlive the index.
  ObjectIndex(const model::Session& session, const model::Facts& facts);

  // The objects of a group.
  void on_page(const PageGroup& group, PageObjects& out) const;
  // What one touch wrote: kNone if not even its mapping is known.
  [[nodiscard]] std::uint32_t written(const Touch& touch) const;

  // nullptr: the capture did not learn of it.
  [[nodiscard]] const model::Object* mapping_of(const Touch& touch) const {
    return mappings_.find(*session_, *touch.space, touch.mapping, touch.address);
  }

  // How many numbers there are, and the object of one of them; only before number_as().
  [[nodiscard]] std::size_t size() const { return id_of_.size(); }
  [[nodiscard]] const model::Object& object(std::uint32_t number) const {
    return number < facts_->objects.size() ? *facts_->objects[number]
                                           : mappings_.at(number - facts_->objects.size());
  }

  // Replaces number n by id_of[n] for all later look-ups. One a number; kNone: the report does not
  // show it.
  void number_as(std::vector<std::uint32_t> id_of) { id_of_ = std::move(id_of); }

 private:
  const model::Session* session_;
  const model::Facts* facts_;
  MappingRanges mappings_;
  std::vector<std::uint32_t> id_of_;  // by number: those of the facts, then those of the mappings
};

}  // namespace cowtrace::analysis
