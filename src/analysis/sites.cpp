// SPDX-License-Identifier: Apache-2.0
#include "analysis/sites.h"

#include <algorithm>
#include <utility>

#include "analysis/mixed_stack.h"

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
    model::SpaceId image = space.id;
    // Bounded, so that a cycle in a damaged trace ends.
    for (std::size_t step = 0; step < session.processes.size(); ++step) {
      const auto from = source.find(image);
      if (from == source.end()) break;
      image = from->second;
    }
    result.emplace(space.id, image);
  }
  return result;
}

}  // namespace

SiteKeys::SiteKeys(const model::Session& session)
    : image_of_(images(session)) {
  // Forked processes share addresses: the same stack in several of them is one site.
  using Frames = std::tuple<model::SpaceId, std::vector<std::uint64_t>,
                            std::vector<model::PythonFrame>>;
  const auto frames = [this](const model::Stack& stack) {
    return Frames{image(stack.space), stack.frames, stack.python};
  };
  std::map<Frames, model::StackHash> first;
  for (const auto& [hash, stack] : session.stacks) {
    const auto at = first.try_emplace(frames(stack), hash).first;
    at->second = std::min(at->second, hash);
  }
  for (const auto& [hash, stack] : session.stacks)
    canonical_.emplace(hash, first.at(frames(stack)));
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

void SiteTable::add(model::ProcessKey process, const Touch& touch) {
  const SiteKeys::Key key = keys_.of(touch.stack, touch.space->id, touch.ip);
  const auto [at, is_new] = index_.emplace(key, static_cast<std::uint32_t>(sites_.size()));
  if (is_new) {
    SiteSummary& site = sites_.emplace_back();
    // Its own, not the one that stands for all equal ones: that one's space need not have been there yet.
    if (std::get<0>(key) != model::StackHash()) site.stack = touch.stack;
    site.space = touch.space->id;
    site.ip = touch.ip;
    site.last_ns = touch.last_ns;
  }
  SiteSummary& site = sites_[at->second];
  site.breaks += touch.count;
  site.copied_bytes += touch.bytes();
  site.by_cause[static_cast<std::size_t>(touch.cause)].add(touch.count, touch.bytes());
  if (touch.collecting || touch.cause == model::Cause::GcHeader)
    site.collector.add(touch.count, touch.bytes());
  // Processes come in ascending order.
  if (site.processes.empty() || site.processes.back() != process) site.processes.push_back(process);
}

std::vector<SiteSummary> SiteTable::take() {
  std::sort(sites_.begin(), sites_.end(), [](const SiteSummary& a, const SiteSummary& b) {
    if (a.copied_bytes != b.copied_bytes) return a.copied_bytes > b.copied_bytes;
    return std::tie(a.ip, a.stack, a.space) < std::tie(b.ip, b.stack, b.space);
  });
  return std::move(sites_);
}

SiteIndex::SiteIndex(const model::Session& session, const std::vector<SiteSummary>& sites)
    : keys_(session) {
  for (std::uint32_t i = 0; i < sites.size(); ++i)
    index_.emplace(keys_.of(sites[i].stack, sites[i].space, sites[i].ip), i);
}

std::optional<std::uint32_t> SiteIndex::of(const Touch& touch) const {
  if (touch.aggregated) return std::nullopt;
  const auto found = index_.find(keys_.of(touch.stack, touch.space->id, touch.ip));
  return found != index_.end() ? std::optional(found->second) : std::nullopt;
}

std::vector<model::StackFrame> SiteFrames::of(const SiteSummary& site) {
  const auto found = session_.stacks.find(site.stack);
  if (found != session_.stacks.end()) {
    auto frames = mix(native(found->second, site.last_ns), python(found->second, site.last_ns));
    if (!frames.empty()) return frames;
  }
  if (site.ip == 0) return {};
  return frames_at(site.space, site.ip, false, site.last_ns);
}

std::vector<model::StackFrame> SiteFrames::python_of(const SiteSummary& site) {
  const auto found = session_.stacks.find(site.stack);
  if (found == session_.stacks.end()) return {};
  return python(found->second, site.last_ns);
}

bool SiteFrames::truncated(const SiteSummary& site) {
  const auto found = session_.stacks.find(site.stack);
  if (found == session_.stacks.end()) return false;
  const model::Stack& stack = found->second;
  // The outermost stack frames are Python's, if any can be shown.
  return python(stack, site.last_ns).empty() ? stack.truncated : stack.python_truncated;
}

std::vector<model::StackFrame> SiteFrames::native(const model::Stack& stack,
                                                  std::uint64_t time_ns) {
  std::vector<model::StackFrame> frames;
  for (std::size_t depth = 0; depth < stack.frames.size(); ++depth) {
    const auto& named = frames_at(stack.space, stack.frames[depth], depth != 0, time_ns);
    if (depth != 0 && !named.empty() && named.front().not_code) break;
    frames.insert(frames.end(), named.begin(), named.end());
  }
  return frames;
}

std::vector<model::StackFrame> SiteFrames::python(const model::Stack& stack,
                                                  std::uint64_t time_ns) {
  std::vector<model::StackFrame> frames;
  for (const model::PythonFrame& frame : stack.python) {
    const auto& named = python_frames(stack.space, frame, time_ns);
    frames.insert(frames.end(), named.begin(), named.end());
  }
  return frames;
}

const std::vector<model::StackFrame>& SiteFrames::python_frames(model::SpaceId space,
                                                                const model::PythonFrame& frame,
                                                                std::uint64_t time_ns) {
  const PythonKey key{space, frame};
  const auto known = python_cache_.find(key);
  if (known != python_cache_.end()) return known->second;
  return python_cache_.emplace(key, resolver_.python_frames(space, frame, time_ns)).first->second;
}

const std::vector<model::StackFrame>& SiteFrames::frames_at(model::SpaceId space, std::uint64_t ip,
                                                            bool is_return_address,
                                                            std::uint64_t time_ns) {
  const Key key{space, ip, is_return_address};
  const auto known = cache_.find(key);
  if (known != cache_.end()) return known->second;
  return cache_.emplace(key, resolver_.frames_at(space, ip, is_return_address, time_ns))
      .first->second;
}

}  // namespace cowtrace::analysis
