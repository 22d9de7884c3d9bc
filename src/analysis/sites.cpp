// SPDX-License-Identifier: Apache-2.0
#include "analysis/sites.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <utility>

namespace cowtrace::analysis {

namespace {

// As "<str>": known by its type alone.
bool is_unnamed(const model::Object* object) {
  return object != nullptr && object->kind == model::ObjectKind::Python && object->name.starts_with('<') && !object->kept_by_interpreter;
}

}  // namespace

void SiteTable::add(model::ProcessKey process, const Touch& touch, const model::Object* written) {
  const SiteKeys::Key key = keys_.of(touch.stack, touch.space->id, touch.ip);
  const auto [at, is_new] = index_.try_emplace(key, static_cast<std::uint32_t>(sites_.size()));
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
  if (touch.is_ending())
    site.ending.add(touch.count, touch.bytes());
  else if (touch.cause == model::Cause::Refcount && is_unnamed(written) && !touch.collecting)
    site.unnamed_refcounts.add(touch.count, touch.bytes());
  else if (touch.collecting || touch.cause == model::Cause::GcHeader)
    site.collector.add(touch.count, touch.bytes());
  // Processes come in ascending order.
  if (site.processes.empty() || site.processes.back() != process) site.processes.push_back(process);
}

namespace {

bool is_costlier(const SiteSummary& a, const SiteSummary& b) {
  if (a.copied_bytes != b.copied_bytes) return a.copied_bytes > b.copied_bytes;
  return std::tie(a.ip, a.stack, a.space) < std::tie(b.ip, b.stack, b.space);
}

// Indices of `sites`, the costliest first.
std::vector<std::uint32_t> by_cost(const std::vector<SiteSummary>& sites) {
  std::vector<std::uint32_t> order(sites.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(),
            [&](std::uint32_t a, std::uint32_t b) { return is_costlier(sites[a], sites[b]); });
  return order;
}

// Returns where each was put.
std::vector<std::uint32_t> sort_by_cost(std::vector<SiteSummary>& sites) {
  std::vector<std::uint32_t> place(sites.size());
  if (std::is_sorted(sites.begin(), sites.end(), is_costlier)) {
    std::iota(place.begin(), place.end(), 0U);
    return place;
  }
  std::vector<SiteSummary> sorted;
  sorted.reserve(sites.size());
  for (const std::uint32_t i : by_cost(sites)) {
    place[i] = static_cast<std::uint32_t>(sorted.size());
    sorted.push_back(std::move(sites[i]));
  }
  sites = std::move(sorted);
  return place;
}

void add(SiteSummary& to, SiteSummary&& more) {
  to.breaks += more.breaks;
  to.copied_bytes += more.copied_bytes;
  for (std::size_t cause = 0; cause < to.by_cause.size(); ++cause)
    to.by_cause[cause].add(more.by_cause[cause].breaks, more.by_cause[cause].bytes);
  to.ending.add(more.ending.breaks, more.ending.bytes);
  to.unnamed_refcounts.add(more.unnamed_refcounts.breaks, more.unnamed_refcounts.bytes);
  to.collector.add(more.collector.breaks, more.collector.bytes);
  to.truncated = to.truncated || more.truncated;
  std::vector<model::ProcessKey> both;
  std::set_union(to.processes.begin(), to.processes.end(), more.processes.begin(),
                 more.processes.end(), std::back_inserter(both));
  to.processes = std::move(both);
}

// Two sums of 64 bits: stacks may be long, and there may be very many.
using Digest = std::pair<std::uint64_t, std::uint64_t>;

struct DigestHash {
  std::size_t operator()(const Digest& digest) const { return digest.first; }
};

Digest digest_of(const NamedStack& stack) {
  Digest digest;
  for (const model::StackFrame* frame : stack) {
    const auto number = reinterpret_cast<std::uintptr_t>(frame);
    // 2^64 / golden ratio and the multiplier of FNV-1a.
    digest.first = (digest.first + number) * 0x9e37'79b9'7f4a'7c15;
    digest.first ^= digest.first >> 32;
    digest.second = (digest.second ^ number) * 0x100'0000'01b3;
  }
  return digest;
}

}  // namespace

std::vector<SiteSummary> SiteTable::take(SiteFrames* frames, SiteIndex::Numbers* numbers) {
  std::unordered_map<Digest, std::uint32_t, DigestHash> same;
  std::vector<SiteSummary> merged;
  merged.reserve(sites_.size());
  std::vector<std::uint32_t> merged_into(sites_.size());
  // The costliest first: it stands for all that are called alike.
  for (const std::uint32_t i : by_cost(sites_)) {
    SiteSummary& site = sites_[i];
    const auto next = static_cast<std::uint32_t>(merged.size());
    merged_into[i] = next;
    if (frames != nullptr) {
      site.frames = frames->of(site);
      merged_into[i] = same.try_emplace(digest_of(site.frames), next).first->second;
      site.truncated = frames->truncated(site);
    }
    if (merged_into[i] == next)
      merged.push_back(std::move(site));
    else
      analysis::add(merged[merged_into[i]], std::move(site));
  }
  const std::vector<std::uint32_t> place = sort_by_cost(merged);
  if (numbers != nullptr) {
    for (auto& [key, number] : index_) number = place[merged_into[number]];
    *numbers = std::move(index_);
  }
  return merged;
}

NamedStack SiteFrames::of(const SiteSummary& site) {
  const auto found = session_.stacks.find(site.stack);
  if (found != session_.stacks.end()) {
    NamedStack frames =
        mix(native(found->second, site.last_ns), python(found->second, site.last_ns));
    if (!frames.empty()) return frames;
  }
  if (site.ip == 0) return {};
  return frames_at(site.space, site.ip, false, site.last_ns);
}

bool SiteFrames::truncated(const SiteSummary& site) {
  const auto found = session_.stacks.find(site.stack);
  if (found == session_.stacks.end()) return false;
  const model::Stack& stack = found->second;
  // The outermost stack frames are Python's, if any can be shown.
  return python(stack, site.last_ns).empty() ? stack.truncated : stack.python_truncated;
}

bool SiteFrames::ByContent::operator()(const model::StackFrame& a,
                                       const model::StackFrame& b) const {
  const auto content = [](const model::StackFrame& frame) {
    return std::tie(frame.line, frame.function, frame.file, frame.module, frame.why_unnamed,
                    frame.inlined, frame.python, frame.interpreter, frame.not_code);
  };
  return content(a) < content(b);
}

NamedStack SiteFrames::native(const model::Stack& stack, std::uint64_t time_ns) {
  NamedStack frames;
  frames.reserve(stack.frames.size());
  for (std::size_t depth = 0; depth < stack.frames.size(); ++depth) {
    const NamedStack& named = frames_at(stack.space, stack.frames[depth], depth != 0, time_ns);
    if (depth != 0 && !named.empty() && named.front()->not_code) break;
    for (const model::StackFrame* frame : named) frames.push_back(frame);
  }
  return frames;
}

NamedStack SiteFrames::python(const model::Stack& stack, std::uint64_t time_ns) {
  NamedStack frames;
  for (const model::PythonFrame& frame : stack.python) {
    const NamedStack& named = python_frames(stack.space, frame, time_ns);
    frames.insert(frames.end(), named.begin(), named.end());
  }
  return frames;
}

NamedStack SiteFrames::kept(std::vector<model::StackFrame> frames) {
  NamedStack stack;
  stack.reserve(frames.size());
  for (model::StackFrame& frame : frames) stack.push_back(&*frames_.insert(std::move(frame)).first);
  return stack;
}

const NamedStack& SiteFrames::python_frames(model::SpaceId space, const model::PythonFrame& frame,
                                            std::uint64_t time_ns) {
  const PythonKey key{space, frame};
  const auto known = python_cache_.find(key);
  if (known != python_cache_.end()) return known->second;
  return python_cache_.emplace(key, kept(resolver_.python_frames(space, frame, time_ns)))
      .first->second;
}

std::size_t SiteFrames::KeyHash::operator()(const Key& key) const {
  return (static_cast<std::size_t>(key.ip) * 2 + (key.is_return_address ? 1 : 0)) *
             0x9e37'79b9'7f4a'7c15 ^
         key.space.value;
}

const NamedStack& SiteFrames::frames_at(model::SpaceId space, std::uint64_t ip,
                                        bool is_return_address, std::uint64_t time_ns) {
  const Key key{space, ip, is_return_address};
  const auto known = cache_.find(key);
  if (known != cache_.end()) return known->second;
  return cache_.emplace(key, kept(resolver_.frames_at(space, ip, is_return_address, time_ns)))
      .first->second;
}

}  // namespace cowtrace::analysis
