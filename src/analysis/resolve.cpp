// SPDX-License-Identifier: Apache-2.0
#include "analysis/resolve.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "analysis/allocators.h"
#include "analysis/mixed_stack.h"
#include "analysis/page_groups.h"
#include "analysis/watches.h"

namespace cowtrace::analysis {

namespace {

using model::Target;

// Numbers the objects that a resolver gives out. An object that a child inherited may be known
// under several pointers: it is one.
class Objects {
 public:
  explicit Objects(model::Facts& facts) : facts_(facts) {}

  std::uint32_t number(const model::Object* object) {
    if (object == nullptr) return Target::kNone;
    const auto [known, is_new] = number_of_.try_emplace(object);
    if (!is_new) return known->second;
    const Identity identity{object->kind, object->address, object->size, object->name,
                            object->type};
    const auto next = static_cast<std::uint32_t>(facts_.objects.size());
    const auto [same, is_first] = same_.emplace(identity, next);
    if (is_first) facts_.objects.push_back(object);
    known->second = same->second;
    return known->second;
  }

 private:
  using Identity = std::tuple<model::ObjectKind, std::uint64_t, std::uint64_t, std::string_view,
                              std::string_view>;

  model::Facts& facts_;
  std::unordered_map<const model::Object*, std::uint32_t> number_of_;
  std::map<Identity, std::uint32_t> same_;
};

class Effects {
 public:
  explicit Effects(model::Facts& facts) : facts_(facts) {}

  std::uint32_t number(model::Cause cause, std::optional<std::uint32_t> stored,
                       const std::string& field) {
    const model::Effect effect{cause, stored, field.empty() ? 0 : number_of_field(field)};
    // Neighbouring writes mostly do the same.
    if (facts_.effects[last_] == effect) return last_;
    const auto next = static_cast<std::uint32_t>(facts_.effects.size());
    if (effect == model::Effect()) return last_ = 0;
    const auto [known, is_new] = number_of_.try_emplace(effect, next);
    if (is_new) facts_.effects.push_back(effect);
    return last_ = known->second;
  }

 private:
  std::uint32_t number_of_field(const std::string& field) {
    if (facts_.fields[last_field_] == field) return last_field_;
    const auto [known, is_new] =
        fields_.try_emplace(field, static_cast<std::uint32_t>(facts_.fields.size()));
    if (is_new) facts_.fields.push_back(field);
    return last_field_ = known->second;
  }

  model::Facts& facts_;
  std::map<model::Effect, std::uint32_t> number_of_;
  std::unordered_map<std::string, std::uint32_t> fields_;
  std::uint32_t last_ = 0, last_field_ = 0;
};

class TargetResolver {
 public:
  TargetResolver(const model::Session& session, model::Resolver& resolver, model::Facts& facts)
      : session_(session), resolver_(resolver), facts_(facts), objects_(facts), effects_(facts) {
    for (const model::AddressSpace& space : session.spaces)
      facts.targets.emplace_back(space.resolutions.size() + space.page_counts.size());
  }

  void resolve_targets(const PageGroup& group) {
    for (const Touch& touch : group.touches) resolve_target(touch);
  }
  // Pages that were not broken have no neighbours.
  void resolve_neighbours(const PageGroup& group);
  // They are in no page group.
  void resolve_first_writes();

 private:
  void resolve_target(const Touch& touch);
  void add_neighbours(const PageGroup& group, const Touch& touch);

  const model::Session& session_;
  model::Resolver& resolver_;
  model::Facts& facts_;
  Objects objects_;
  Effects effects_;
  std::map<const model::AddressSpace*, const Touch*> last_breaks_;  // of one group
  std::vector<std::uint32_t> neighbours_, written_;                 // of one group
};

void TargetResolver::resolve_target(const Touch& touch) {
  const model::Write write = resolver_.write_at(touch.space->id, touch.address, touch.last_ns);
  const bool may_tell = touch.is_break() && !touch.aggregated && !touch.in_kernel && touch.ip != 0;
  const auto stored = may_tell ? resolver_.store_size_at(touch.space->id, touch.ip) : std::nullopt;
  facts_.targets[session_.number_of(*touch.space)][touch.place] = {
      objects_.number(write.object), effects_.number(write.cause, stored, write.field)};
}

void TargetResolver::add_neighbours(const PageGroup& group, const Touch& touch) {
  for (const model::Object* object :
       resolver_.objects_in(touch.space->id, group.page, group.page + group.size, touch.last_ns))
    if (object != nullptr && object->kind != model::ObjectKind::Mapping)
      neighbours_.push_back(objects_.number(object));
}

// What lives on the page in each space of the group, at the last break there, less what was
// written.
void TargetResolver::resolve_neighbours(const PageGroup& group) {
  neighbours_.clear();
  written_.clear();
  for (const Touch& touch : group.touches)
    written_.push_back(target_of(session_, facts_, touch).object);
  last_breaks_.clear();
  const Touch* last = nullptr;  // of the space that touches have been of so far
  for (const Touch& touch : group.touches) {
    if (!touch.is_break()) continue;
    if (last != nullptr && last->space != touch.space) last_breaks_[last->space] = last;
    last = &touch;
  }
  // Nearly every page: of one space, and no table of them is needed.
  if (last_breaks_.empty()) {
    if (last != nullptr) add_neighbours(group, *last);
  } else {
    last_breaks_[last->space] = last;
    for (const auto& [space, touch] : last_breaks_) add_neighbours(group, *touch);
  }
  std::sort(neighbours_.begin(), neighbours_.end());
  neighbours_.erase(std::unique(neighbours_.begin(), neighbours_.end()), neighbours_.end());
  // Not each against each: a page of a hostile trace has as many of both as it likes.
  std::sort(written_.begin(), written_.end());
  std::erase_if(neighbours_, [&](std::uint32_t object) {
    return std::binary_search(written_.begin(), written_.end(), object);
  });
  facts_.neighbours.add(neighbours_);
}

void TargetResolver::resolve_first_writes() {
  const auto resolve_if_first = [&](const Touch& touch) {
    if (touch.mechanism == model::Mechanism::FirstWrite) resolve_target(touch);
  };
  for (const model::AddressSpace& space : session_.spaces) {
    std::uint32_t place = 0;
    for (const model::Resolution& event : space.resolutions)
      resolve_if_first(touch_of(space, event, place++));
    for (const model::PageCount& row : space.page_counts)
      resolve_if_first(touch_of(space, row, place++));
  }
}

// Resolves the names of the first stack of each site, as SiteTable picks it.
class StackResolver {
 public:
  StackResolver(const model::Session& session, model::Resolver& resolver, model::StackNames& names)
      : session_(session),
        resolver_(resolver),
        names_(names),
        keys_(session),
        first_writes_(session) {}

  void resolve(const Touch& touch) {
    if (!touch.is_break() || touch.aggregated) return;
    name({touch.stack, touch.space->id, touch.ip, touch.last_ns}, of_breaks_);
    if (first_writes_.recorded()) resolve_allocator(touch);
  }

 private:
  using Keys = std::set<SiteKeys::Key>;

  void resolve_allocator(const Touch& touch) {
    const model::Resolution* first = first_writes_.of(touch);
    if (first != nullptr && !first_writes_.is_of_exec(*first))
      name({first->stack, first->space, first->ip, first->time_ns}, of_allocators_);
  }
  void name(const StackPlace& place, Keys& resolved) {
    if (resolved.insert(keys_.of(place.stack, place.space, place.ip)).second)
      name_stack(session_, resolver_, place, names_);
  }

  const model::Session& session_;
  model::Resolver& resolver_;
  model::StackNames& names_;
  SiteKeys keys_;
  FirstWrites first_writes_;
  // Each table of sites shows the first stack that it met itself, which may be of another space.
  Keys of_breaks_, of_allocators_;
};

const model::NamedStack& name_instruction(model::Resolver& resolver,
                                          const model::StackNames::Instruction& where,
                                          std::uint64_t time_ns, model::StackNames& names) {
  if (const model::NamedStack* known = names.find(where); known != nullptr) return *known;
  return names.add(where,
                   resolver.frames_at(where.space, where.ip, where.is_return_address, time_ns));
}

// What had no name at another moment may have one now: it is asked for again.
const model::NamedStack& name_managed(model::Resolver& resolver,
                                      const model::StackNames::Managed& where,
                                      std::uint64_t time_ns, model::StackNames& names) {
  const model::NamedStack* known = names.find(where);
  if (known != nullptr && !known->empty()) return *known;
  return names.add(where, resolver.python_frames(where.first, where.second, time_ns));
}

}  // namespace

void name_stack(const model::Session& session, model::Resolver& resolver, const StackPlace& place,
                model::StackNames& names) {
  const auto found = session.stacks.find(place.stack);
  bool has_functions = false;
  if (found != session.stacks.end()) {
    const NamedStack native = native_stack(
        found->second, [&](const model::StackNames::Instruction& where) -> auto& {
          return name_instruction(resolver, where, place.time_ns, names);
        });
    const NamedStack managed = managed_stack(
        found->second, [&](const model::StackNames::Managed& where) -> auto& {
          return name_managed(resolver, where, place.time_ns, names);
        });
    has_functions = !native.empty() || !managed.empty();
  }
  if (!has_functions && place.ip != 0)
    name_instruction(resolver, {place.space, place.ip, false}, place.time_ns, names);
}

model::Facts resolve(const model::Session& session, model::Resolver& resolver,
                     const ResolveOptions& options) {
  model::Facts facts;
  TargetResolver targets(session, resolver, facts);
  StackResolver stacks(session, resolver, facts.stack_names);
  PageGroups(session).for_each([&](const PageGroup& group) {
    targets.resolve_targets(group);
    targets.resolve_neighbours(group);
    if (!options.name_stacks) return;
    for (const Touch& touch : group.touches) stacks.resolve(touch);
  });
  if (options.name_stacks)
    for (const StackPlace& place : watch_stacks(session))
      name_stack(session, resolver, place, facts.stack_names);
  targets.resolve_first_writes();
  facts.objects_owner = resolver.finish();
  return facts;
}

}  // namespace cowtrace::analysis
