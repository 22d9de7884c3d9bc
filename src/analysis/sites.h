// SPDX-License-Identifier: Apache-2.0
// Sites: which stacks broke pages (SiteTable), and what their stack frames are called (SiteFrames).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

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
  // neither stack nor instruction pointer is known.
  [[nodiscard]] std::vector<model::StackFrame> of(const SiteSummary& site);
  // Its Python stack frames alone, which cost less to name.
  [[nodiscard]] std::vector<model::StackFrame> python_of(const SiteSummary& site);
  // The walk of its one stack ended before the stack did.
  [[nodiscard]] bool truncated(const SiteSummary& site);
  // Equal for two sites if of() gives the same stack frames for both.
  using Digest = std::pair<std::uint64_t, std::uint64_t>;
  [[nodiscard]] Digest digest(const SiteSummary& site);

 private:
  using Key = std::tuple<model::SpaceId, std::uint64_t, bool>;
  using PythonKey = std::pair<model::SpaceId, model::PythonFrame>;
  // By all that reports show of a stack frame.
  struct ShownOrder {
    bool operator()(const model::StackFrame& a, const model::StackFrame& b) const;
  };
  const std::vector<model::StackFrame>& frames_at(model::SpaceId space, std::uint64_t ip,
                                                  bool is_return_address, std::uint64_t time_ns);
  const std::vector<model::StackFrame>& python_frames(model::SpaceId space,
                                                      const model::PythonFrame& frame,
                                                      std::uint64_t time_ns);
  [[nodiscard]] std::uint64_t number_of(const model::StackFrame& frame);
  std::vector<model::StackFrame> native(const model::Stack& stack, std::uint64_t time_ns);
  std::vector<model::StackFrame> python(const model::Stack& stack, std::uint64_t time_ns);

  const model::Session& session_;
  model::Resolver& resolver_;
  std::map<Key, std::vector<model::StackFrame>> cache_;
  std::map<PythonKey, std::vector<model::StackFrame>> python_cache_;
  std::map<model::StackFrame, std::uint64_t, ShownOrder> numbers_;
};

}  // namespace cowtrace::analysis
