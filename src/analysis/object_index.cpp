// SPDX-License-Identifier: Apache-2.0
#include "analysis/object_index.h"

#include <algorithm>
#include <numeric>

namespace cowtrace::analysis {

ObjectIndex::ObjectIndex(const model::Session& session, const model::Facts& facts)
    : session_(&session),
      facts_(&facts),
      mappings_(session),
      id_of_(facts.objects.size() + mappings_.size()) {
  std::iota(id_of_.begin(), id_of_.end(), 0U);
}

std::uint32_t ObjectIndex::written(const Touch& touch) const {
  const std::uint32_t object = target_of(*session_, *facts_, touch).object;
  if (object != model::Target::kNone) return id_of_[object];
  const model::Object* mapping = mapping_of(touch);
  return mapping != nullptr ? id_of_[facts_->objects.size() + mappings_.number_of(*mapping)]
                            : PageObjects::kNone;
}

void ObjectIndex::on_page(const PageGroup& group, PageObjects& out) const {
  out.written.clear();
  for (const Touch& touch : group.touches) out.written.push_back(written(touch));
  out.neighbours.clear();
  for (const model::NumberLists::Run& run : facts_->neighbours.at(group.number))
    for (std::uint32_t i = 0; i < run.count; ++i)
      if (const std::uint32_t id = id_of_[run.first + i]; id != PageObjects::kNone)
        out.neighbours.push_back(id);
  std::sort(out.neighbours.begin(), out.neighbours.end());
}

}  // namespace cowtrace::analysis
