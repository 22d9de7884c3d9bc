// SPDX-License-Identifier: Apache-2.0
// Gives every object that the join meets a number, and later the id that reports use. The same
// object known under several pointers (a child inherits its parent's) is one.
#pragma once

#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "analysis/mapping_ranges.h"
#include "analysis/page_groups.h"
#include "base/ids.h"
#include "model/objects.h"
#include "model/session.h"

namespace cowtrace::analysis {

using ObjectId = Id<struct ReportObjectTag>;  // index of Summary::objects

// What one page of one process holds. Numbers are those of ObjectIndex; kNone: not known.
struct PageObjects {
  static constexpr std::uint32_t kNone = UINT32_MAX;
  std::vector<std::uint32_t> written;     // one a touch, in their order
  std::vector<std::uint32_t> neighbours;  // ascending; empty when the page was not broken
};

class ObjectIndex {
 public:
  explicit ObjectIndex(const model::Session& session) : mappings_(session) {}

  // Fills `out` for a group; objects not met before get the next number.
  void intern(const model::Session& session, model::Resolver& resolver, const PageGroup& group,
              PageObjects& out);
  // The same after number_as(): objects that intern() never met are kNone.
  void look_up(const model::Session& session, model::Resolver& resolver, const PageGroup& group,
               PageObjects& out) const;

  // What one touch wrote, after number_as(): kNone if it is not known.
  [[nodiscard]] std::uint32_t written(const model::Session& session, model::Resolver& resolver,
                                      const Touch& touch) const;

  [[nodiscard]] const model::Object* mapping_of(const model::Session& session,
                                                const Touch& touch) const {
    return mappings_.find(session, *touch.space, touch.mapping, touch.address);
  }

  // In order of their numbers.
  [[nodiscard]] const std::vector<const model::Object*>& objects() const { return objects_; }

  // Replaces number n by id_of[n] for all later look-ups.
  void number_as(const std::vector<ObjectId>& id_of);

 private:
  using Identity = std::tuple<model::ObjectKind, std::uint64_t, std::uint64_t, std::string_view,
                              std::string_view>;
  std::uint32_t number(const model::Object* object);
  [[nodiscard]] std::uint32_t number_if_known(const model::Object* object) const;

  MappingRanges mappings_;
  std::unordered_map<const model::Object*, std::uint32_t> number_of_;
  std::map<Identity, std::uint32_t> same_;
  std::vector<const model::Object*> objects_;
};

}  // namespace cowtrace::analysis
