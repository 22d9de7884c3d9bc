// SPDX-License-Identifier: Apache-2.0
#include "analysis/sites.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "base/units.h"

namespace cowtrace::analysis {

namespace {

// As "<str>": known by its type alone.
bool is_unnamed(const model::Object* object) {
  return object != nullptr && object->kind == model::ObjectKind::Python &&
         object->name.starts_with('<') && !object->kept_by_interpreter;
}

}  // namespace

void SiteTable::add(model::ProcessKey process, const Touch& touch, const model::Object* written) {
  const SiteKeys::Key key = keys_.of(touch.stack, touch.space->id, touch.ip);
  const auto [at, is_new] = index_.try_emplace(key, static_cast<std::uint32_t>(sites_.size()));
  if (is_new) {
    SiteSummary& site = sites_.emplace_back();
    // Its own, not the one that stands for all equal ones: that one's space need not have been
    // there yet.
    if (std::get<0>(key) != model::StackHash()) site.stack = touch.stack;
    site.space = touch.space->id;
    site.ip = touch.ip;
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
    NamedStack frames = mix(native(found->second), python(found->second));
    if (!frames.empty()) return frames;
  }
  if (site.ip == 0) return {};
  return frames_at({site.space, site.ip, false});
}

bool SiteFrames::truncated(const SiteSummary& site) const {
  const auto found = session_.stacks.find(site.stack);
  if (found == session_.stacks.end()) return false;
  const model::Stack& stack = found->second;
  // The outermost stack frames are Python's, if any can be shown.
  return python(stack).empty() ? stack.truncated : stack.python_truncated;
}

NamedStack SiteFrames::native(const model::Stack& stack) {
  return native_stack(
      stack, [this](const model::StackNames::Instruction& where) -> auto& {
        return frames_at(where);
      });
}

NamedStack SiteFrames::python(const model::Stack& stack) const {
  static const NamedStack kNone;
  return managed_stack(
      stack, [this](const model::StackNames::Managed& where) -> auto& {
        const NamedStack* named = names_.find(where);
        return named != nullptr ? *named : kNone;
      });
}

const NamedStack& SiteFrames::frames_at(const model::StackNames::Instruction& where) {
  if (const NamedStack* named = names_.find(where); named != nullptr) return *named;
  if (const NamedStack* named = unnamed_.find(where); named != nullptr) return *named;
  model::StackFrame unnamed;
  unnamed.function = hex(where.ip);
  unnamed.why_unnamed = "the trace does not have its name";
  return unnamed_.add(where, {unnamed});
}

}  // namespace cowtrace::analysis
