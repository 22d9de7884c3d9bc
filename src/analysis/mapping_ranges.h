// SPDX-License-Identifier: Apache-2.0
// Mappings as people know them: a label ("[heap]", "/usr/lib/libc.so.6") and one object for all the
// shapes that a mapping took while it grew, was split by mprotect or was inherited.
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/objects.h"
#include "model/session.h"

namespace cowtrace::analysis {

// As /proc/PID/maps would call it; "[anon]" where that prints nothing.
std::string mapping_label(const model::Mapping& mapping);

class MappingRanges {
 public:
  explicit MappingRanges(const model::Session& session);
  // The objects are referred to by address.
  MappingRanges(const MappingRanges&) = delete;
  MappingRanges& operator=(const MappingRanges&) = delete;
  MappingRanges(MappingRanges&&) = default;
  MappingRanges& operator=(MappingRanges&&) = default;

  // The object of kind mapping that holds `address`; nullptr if the capture did not learn of any.
  [[nodiscard]] const model::Object* find(const model::Session& session,
                                          const model::AddressSpace& space,
                                          model::MappingHash mapping, std::uint64_t address) const;

  // Numbers of the objects, from 0 on.
  [[nodiscard]] std::size_t size() const { return objects_.size(); }
  [[nodiscard]] std::uint32_t number_of(const model::Object& one) const {
    return static_cast<std::uint32_t>(&one - objects_.data());
  }
  [[nodiscard]] const model::Object& at(std::size_t number) const { return objects_[number]; }

 private:
  // Where each segment of a space starts, and its object; nullptr: there was nothing.
  using Segments = std::map<std::uint64_t, const model::Object*>;
  [[nodiscard]] Segments segments(const model::Session& session,
                                  const model::AddressSpace& space) const;

  std::vector<model::Object> objects_;  // that others point to: never grows
  std::unordered_map<model::MappingHash, const model::Object*> object_of_;
  mutable std::unordered_map<model::SpaceId, Segments> had_;  // of spaces that were asked for
};

}  // namespace cowtrace::analysis
