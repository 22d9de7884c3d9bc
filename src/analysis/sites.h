// SPDX-License-Identifier: Apache-2.0
// Sites: which stacks broke pages (SiteTable), and what their stack frames are called (SiteFrames).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "analysis/mixed_stack.h"
#include "analysis/site_keys.h"
#include "analysis/summary.h"
#include "analysis/touch.h"
#include "model/objects.h"
#include "model/session.h"

namespace cowtrace::analysis {

class SiteFrames;

class SiteTable {
 public:
  explicit SiteTable(const SiteKeys& keys) : keys_(keys) {}

  // `written`: the object that was written; nullptr: not known.
  void add(model::ProcessKey process, const Touch& touch, const model::Object* written = nullptr);
  // All of them, by copied bytes, most first; nothing may be added any more. Those that have the
  // same names in `frames` are one; nullptr: each stack is a site. `numbers`: where each key went;
  // nullptr: not wanted.
  [[nodiscard]] std::vector<SiteSummary> take(SiteFrames* frames, SiteIndex::Numbers* numbers);

 private:
  const SiteKeys& keys_;
  SiteIndex::Numbers index_;
  std::vector<SiteSummary> sites_;
};

class SiteFrames {
 public:
  SiteFrames(const model::Session& session, model::Resolver& resolver)
      : session_(session), resolver_(resolver) {}

  // The stack frames of a site, innermost first, Python's in place of the interpreter's; empty if
  // neither stack nor instruction pointer is known. They live as long as this; equal ones are the
  // same, so that pointers tell them apart.
  [[nodiscard]] NamedStack of(const SiteSummary& site);
  // The walk of its one stack ended before the stack did.
  [[nodiscard]] bool truncated(const SiteSummary& site);

 private:
  struct Key {
    model::SpaceId space;
    std::uint64_t ip = 0;
    bool is_return_address = false;

    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const;
  };
  using PythonKey = std::pair<model::SpaceId, model::PythonFrame>;
  // What reports show of a stack frame, and what mix() asks of it.
  struct ByContent {
    bool operator()(const model::StackFrame& a, const model::StackFrame& b) const;
  };
  NamedStack kept(std::vector<model::StackFrame> frames);
  const NamedStack& frames_at(model::SpaceId space, std::uint64_t ip, bool is_return_address,
                              std::uint64_t time_ns);
  const NamedStack& python_frames(model::SpaceId space, const model::PythonFrame& frame,
                                  std::uint64_t time_ns);
  NamedStack native(const model::Stack& stack, std::uint64_t time_ns);
  NamedStack python(const model::Stack& stack, std::uint64_t time_ns);

  const model::Session& session_;
  model::Resolver& resolver_;
  std::set<model::StackFrame, ByContent> frames_;
  std::unordered_map<Key, NamedStack, KeyHash> cache_;
  std::map<PythonKey, NamedStack> python_cache_;
};

// The stack frames themselves, for what outlives SiteFrames.
[[nodiscard]] inline std::vector<model::StackFrame> copied(const NamedStack& stack) {
  std::vector<model::StackFrame> frames;
  frames.reserve(stack.size());
  for (const model::StackFrame* frame : stack) frames.push_back(*frame);
  return frames;
}

}  // namespace cowtrace::analysis
