// SPDX-License-Identifier: Apache-2.0
#include "analysis/object_index.h"

#include <algorithm>
#include <unordered_map>

namespace cowtrace::analysis {

namespace {

const model::Object* object_of(const ObjectIndex& index, const model::Session& session,
                               model::Resolver& resolver, const Touch& touch) {
  const model::Object* object = resolver.object_at(touch.space->id, touch.address, touch.last_ns);
  return object != nullptr ? object : index.mapping_of(session, touch);
}

// Calls `visit` for what lives on the page in each space of the group, at the last break there.
template <typename Visit>
void for_each_object_on_page(model::Resolver& resolver, const PageGroup& group, Visit&& visit) {
  const auto visit_at = [&](const Touch& touch) {
    for (const model::Object* object :
         resolver.objects_in(touch.space->id, group.page, group.page + group.size, touch.last_ns))
      if (object != nullptr && object->kind != model::ObjectKind::Mapping) visit(object);
  };
  if (group.touches.size() == 1) {
    if (group.touches[0].is_break()) visit_at(group.touches[0]);
    return;
  }
  std::vector<const Touch*> last_breaks;
  std::unordered_map<const model::AddressSpace*, std::size_t> place_of;
  for (const Touch& touch : group.touches) {
    if (!touch.is_break()) continue;
    const auto [place, is_new] = place_of.try_emplace(touch.space, last_breaks.size());
    if (is_new)
      last_breaks.push_back(&touch);
    else
      last_breaks[place->second] = &touch;
  }
  for (const Touch* touch : last_breaks) visit_at(*touch);
}

template <typename Number>
void join_page(const ObjectIndex& index, const model::Session& session, model::Resolver& resolver,
               const PageGroup& group, PageObjects& out, Number&& number) {
  out.written.clear();
  out.neighbours.clear();
  for (const Touch& touch : group.touches)
    out.written.push_back(number(object_of(index, session, resolver, touch)));
  for_each_object_on_page(resolver, group, [&](const model::Object* object) {
    const std::uint32_t found = number(object);
    if (found != PageObjects::kNone) out.neighbours.push_back(found);
  });
  std::sort(out.neighbours.begin(), out.neighbours.end());
  out.neighbours.erase(std::unique(out.neighbours.begin(), out.neighbours.end()),
                       out.neighbours.end());
  if (out.written.size() == 1) {
    std::erase(out.neighbours, out.written.front());
    return;
  }
  // Not each against each: a page of a hostile trace has as many of both as it likes.
  std::vector<std::uint32_t> written = out.written;
  std::sort(written.begin(), written.end());
  std::erase_if(out.neighbours, [&](std::uint32_t object) {
    return std::binary_search(written.begin(), written.end(), object);
  });
}

}  // namespace

void ObjectIndex::intern(const model::Session& session, model::Resolver& resolver,
                         const PageGroup& group, PageObjects& out) {
  join_page(*this, session, resolver, group, out,
            [this](const model::Object* object) { return number(object); });
}

void ObjectIndex::look_up(const model::Session& session, model::Resolver& resolver,
                          const PageGroup& group, PageObjects& out) const {
  join_page(*this, session, resolver, group, out,
            [this](const model::Object* object) { return number_if_known(object); });
}

std::uint32_t ObjectIndex::written(const model::Session& session, model::Resolver& resolver,
                                   const Touch& touch) const {
  return number_if_known(object_of(*this, session, resolver, touch));
}

void ObjectIndex::number_as(const std::vector<ObjectId>& id_of) {
  for (auto& [object, number] : number_of_) number = id_of[number].value;
  objects_.clear();
  same_.clear();
}

std::uint32_t ObjectIndex::number(const model::Object* object) {
  if (object == nullptr) return PageObjects::kNone;
  const auto known = number_of_.find(object);
  if (known != number_of_.end()) return known->second;
  const Identity identity{object->kind, object->address, object->size, object->name, object->type};
  const auto next = static_cast<std::uint32_t>(objects_.size());
  const auto [same, is_new] = same_.emplace(identity, next);
  if (is_new) objects_.push_back(object);
  number_of_.emplace(object, same->second);
  return same->second;
}

std::uint32_t ObjectIndex::number_if_known(const model::Object* object) const {
  const auto known = number_of_.find(object);
  return known != number_of_.end() ? known->second : PageObjects::kNone;
}

}  // namespace cowtrace::analysis
