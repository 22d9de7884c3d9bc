// SPDX-License-Identifier: Apache-2.0
#include "report/stack_names.h"

#include <tuple>

#include "base/units.h"

namespace cowtrace::report {

namespace {

NamedFrame in_place_of(std::string name) {
  NamedFrame frame;
  frame.name = std::move(name);
  return frame;
}

}  // namespace

NamedFrame named(const model::StackFrame& frame) {
  NamedFrame result;
  result.name = printable(frame.function);
  result.file = printable(frame.file);
  result.line = frame.line;
  if (!frame.python) result.module = printable(frame.module);
  result.inlined = frame.inlined;
  result.python = frame.python;
  if (!frame.why_unnamed.empty() && !result.module.empty())
    result.name = "[" + result.module.substr(result.module.rfind('/') + 1) + "]";
  if (result.name.empty()) result.name = "(unnamed)";
  return result;
}

std::string command_of(const analysis::ProcessSummary& process) {
  return process.command.empty() ? "(unnamed)" : printable(process.command);
}

const std::vector<NamedFrame>& StackNames::of(const analysis::BreakStack& stack) {
  static const std::vector<NamedFrame> kNoStack = {in_place_of("(no stack)")};
  static const std::vector<NamedFrame> kLost = {in_place_of("(lost events)")};
  switch (stack.known) {
    case analysis::BreakStack::Known::Stack:
      return of_site(stack.site);
    case analysis::BreakStack::Known::NoStack:
      return kNoStack;
    case analysis::BreakStack::Known::Lost:
      return kLost;
  }
  return kNoStack;
}

const std::vector<NamedFrame>& StackNames::of_site(std::uint32_t site) {
  std::vector<NamedFrame>& names = by_site_[site];
  if (!names.empty()) return names;
  for (const model::StackFrame* frame : summary_.sites[site].frames) names.push_back(named(*frame));
  if (names.empty()) names.push_back(in_place_of("(no stack)"));
  return names;
}

std::vector<analysis::BreakStack> StackNames::alike(std::vector<analysis::BreakStack> stacks) {
  using Key = std::tuple<model::ProcessKey, analysis::BreakStack::Known, std::uint32_t,
                         model::Cause, model::Mechanism, std::optional<analysis::ObjectId>>;
  std::map<Key, std::size_t> place;
  std::size_t kept = 0;
  for (analysis::BreakStack& stack : stacks) {
    if (stack.known == analysis::BreakStack::Known::Stack)
      stack.site = first_site_.try_emplace(of_site(stack.site), stack.site).first->second;
    const Key key{stack.process, stack.known,     stack.site,
                  stack.cause,   stack.mechanism, stack.object};
    const auto [at, is_new] = place.try_emplace(key, kept);
    if (is_new)
      stacks[kept++] = stack;
    else
      stacks[at->second].count.add(stack.count.breaks, stack.count.bytes);
  }
  stacks.resize(kept);
  return stacks;
}

}  // namespace cowtrace::report
