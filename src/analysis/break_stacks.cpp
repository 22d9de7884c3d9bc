// SPDX-License-Identifier: Apache-2.0
#include "analysis/break_stacks.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "analysis/page_groups.h"

namespace cowtrace::analysis {

namespace {

// All but the count, as one number and a rest that seldom differs.
using Key = std::tuple<BreakStack::Known, std::uint32_t, model::Cause, model::Mechanism,
                       std::optional<ObjectId>>;

struct KeyHash {
  std::size_t operator()(const Key& key) const {
    const auto& [known, site, cause, mechanism, object] = key;
    std::uint64_t mixed = (std::uint64_t{site} << 32) | (object ? object->value + 1 : 0);
    mixed = mixed * 0x9e37'79b9'7f4a'7c15 + (static_cast<std::uint64_t>(cause) << 8 |
                                             static_cast<std::uint64_t>(mechanism) << 4 |
                                             static_cast<std::uint64_t>(known));
    return static_cast<std::size_t>(mixed ^ (mixed >> 29));
  }
};

class Table {
 public:
  explicit Table(std::vector<BreakStack>& out) : out_(out) {}

  void add(const BreakStack& stack) {
    const Key key{stack.known, stack.site, stack.cause, stack.mechanism, stack.object};
    const auto [at, is_new] = index_.emplace(key, out_.size());
    if (is_new)
      out_.push_back(stack);
    else
      out_[at->second].count.add(stack.count.breaks, stack.count.bytes);
    seen_.add(stack.count.breaks, stack.count.bytes);
  }

  // Sorts what one process has added, behind what the lost events of that process cost.
  void finish(const ProcessSummary& process, bool with_lost) {
    if (with_lost && process.breaks > seen_.breaks) {
      BreakStack lost;
      lost.known = BreakStack::Known::Lost;
      lost.process = process.process;
      lost.count.add(process.breaks - seen_.breaks,
                     process.copied_bytes - std::min(process.copied_bytes, seen_.bytes));
      out_.push_back(lost);
    }
    std::sort(out_.begin() + static_cast<std::ptrdiff_t>(first_), out_.end(),
              [](const BreakStack& a, const BreakStack& b) {
                return std::tie(a.known, a.site, a.cause, a.mechanism, a.object) <
                       std::tie(b.known, b.site, b.cause, b.mechanism, b.object);
              });
    first_ = out_.size();
    seen_ = {};
    index_.clear();
  }

 private:
  std::vector<BreakStack>& out_;
  std::unordered_map<Key, std::size_t, KeyHash> index_;
  std::size_t first_ = 0;  // of the process that is being added
  BreakCount seen_;
};

}  // namespace

std::vector<BreakStack> break_stacks(const Report& report, const EventFilter& filter,
                                     bool with_details) {
  const model::Session& session = report.session;
  const Summary& summary = report.summary;
  const EventJoin join(report);
  std::vector<BreakStack> stacks;
  Table table(stacks);
  auto process = summary.processes.begin();
  const auto finish_until = [&](model::ProcessKey key) {
    for (; process != summary.processes.end() && process->process < key; ++process)
      table.finish(*process, filter.everything());
  };
  PageGroups(session).for_each([&](const PageGroup& group) {
    finish_until(group.process);
    for (const Touch& touch : group.touches) {
      if (!touch.is_break()) continue;
      if (!filter.everything() &&
          !filter.matches(session.process(group.process), touch, join.cause(touch)))
        continue;
      BreakStack stack;
      stack.process = group.process;
      stack.count.add(touch.count, touch.bytes());
      std::optional<std::uint32_t> site;
      if (with_details) {
        const EventRow row = join.row(group.process, touch, nullptr);
        site = row.site;
        stack.cause = row.cause;
        stack.mechanism = touch.mechanism;
        stack.object = row.object;
      } else {
        site = join.site(touch);
      }
      const bool has_stack = site && (summary.sites[*site].stack != model::StackHash() ||
                                      summary.sites[*site].ip != 0);
      stack.known = has_stack ? BreakStack::Known::Stack : BreakStack::Known::NoStack;
      if (has_stack) stack.site = *site;
      table.add(stack);
    }
  });
  finish_until(model::ProcessKey(static_cast<std::uint32_t>(summary.processes.size())));
  return stacks;
}

}  // namespace cowtrace::analysis
