// SPDX-License-Identifier: Apache-2.0
#include "analysis/site_keys.h"

#include <algorithm>

namespace cowtrace::analysis {

namespace {

// For each space the first one that ran the same program image: fork keeps the image, exec ends it.
// So an instruction pointer means the same code in all spaces of one image.
std::unordered_map<model::SpaceId, model::SpaceId> images(const model::Session& session) {
  std::unordered_map<model::SpaceId, model::SpaceId> source;
  for (const model::Process& process : session.processes) {
    if (process.spaces.empty() || !process.forked_space) continue;
    source.emplace(process.spaces[0], *process.forked_space);
  }
  std::unordered_map<model::SpaceId, model::SpaceId> result;
  for (const model::AddressSpace& space : session.spaces) {
    std::vector<model::SpaceId> way;
    model::SpaceId image = space.id;
    // What is on the way counts as an image until the end is found, so that a cycle in a damaged
    // trace ends.
    while (result.try_emplace(image, image).second) {
      way.push_back(image);
      if (const auto from = source.find(image); from != source.end()) image = from->second;
    }
    image = result.at(image);
    for (const model::SpaceId on_the_way : way) result[on_the_way] = image;
  }
  return result;
}

}  // namespace

SiteKeys::SiteKeys(const model::Session& session) : image_of_(images(session)) {
  // Forked processes share addresses: the same stack in several of them is one site.
  struct Stack {
    model::SpaceId image;
    const model::Stack* frames;
    model::StackHash hash;
  };
  const auto same = [](const Stack& stack) {
    return std::tie(stack.image, stack.frames->frames, stack.frames->python);
  };
  std::vector<Stack> stacks;
  stacks.reserve(session.stacks.size());
  for (const auto& [hash, stack] : session.stacks)
    stacks.push_back({image(stack.space), &stack, hash});
  std::sort(stacks.begin(), stacks.end(), [&](const Stack& a, const Stack& b) {
    return std::tuple_cat(same(a), std::tie(a.hash)) < std::tuple_cat(same(b), std::tie(b.hash));
  });
  canonical_.reserve(stacks.size());
  const Stack* first = nullptr;  // of those that are the same
  for (const Stack& stack : stacks) {
    if (first == nullptr || same(*first) != same(stack)) first = &stack;
    canonical_.emplace(stack.hash, first->hash);
  }
}

model::SpaceId SiteKeys::image(model::SpaceId space) const {
  const auto found = image_of_.find(space);
  return found != image_of_.end() ? found->second : space;
}

SiteKeys::Key SiteKeys::of(model::StackHash stack, model::SpaceId space, std::uint64_t ip) const {
  if (const auto known = canonical_.find(stack); known != canonical_.end())
    return {known->second, {}, 0};
  if (ip != 0) return {{}, image(space), ip};
  return {};
}

std::optional<std::uint32_t> SiteIndex::of(const Touch& touch) const {
  if (touch.aggregated) return std::nullopt;
  const auto found = numbers_.find(keys_.of(touch.stack, touch.space->id, touch.ip));
  return found != numbers_.end() ? std::optional(found->second) : std::nullopt;
}

}  // namespace cowtrace::analysis
