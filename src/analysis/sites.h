// SPDX-License-Identifier: Apache-2.0
// Sites: which stacks broke pages (SiteTable), and what their stack frames are called (SiteFrames).
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "analysis/mixed_stack.h"
#include "analysis/site_keys.h"
#include "analysis/summary.h"
#include "analysis/touch.h"
#include "model/session.h"
#include "model/stack_names.h"

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
  // Both outlive this.
  SiteFrames(const model::Session& session, const model::StackNames& names)
      : session_(session), names_(names) {}

  // The stack frames of a site, innermost first, Python's in place of the interpreter's; empty if
  // neither stack nor instruction pointer is known. They live as long as this and the names; equal
  // ones are the same, so that pointers tell them apart.
  [[nodiscard]] NamedStack of(const SiteSummary& site);
  // The walk of its one stack ended before the stack did.
  [[nodiscard]] bool truncated(const SiteSummary& site) const;

 private:
  const model::NamedStack& frames_at(const model::StackNames::Instruction& where);
  NamedStack native(const model::Stack& stack);
  [[nodiscard]] NamedStack python(const model::Stack& stack) const;

  const model::Session& session_;
  const model::StackNames& names_;
  model::StackNames unnamed_;  // what the names do not cover
};

// The stack frames themselves, for what outlives SiteFrames.
[[nodiscard]] inline std::vector<model::StackFrame> copied(const NamedStack& stack) {
  std::vector<model::StackFrame> frames;
  frames.reserve(stack.size());
  for (const model::StackFrame* frame : stack) frames.push_back(*frame);
  return frames;
}

}  // namespace cowtrace::analysis
