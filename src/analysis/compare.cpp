// SPDX-License-Identifier: Apache-2.0
#include "analysis/compare.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace cowtrace::analysis {

namespace {

using Runs = std::vector<RunFigures>;

std::uint64_t size_of(std::int64_t difference) {
  const auto bits = static_cast<std::uint64_t>(difference);
  return difference < 0 ? 0 - bits : bits;
}

class Comparer {
 public:
  Comparer(const Runs& before, const Runs& after)
      : before_(before),
        after_(after),
        noise_known_(std::min(before.size(), after.size()) >= kRunsForNoise) {}

  [[nodiscard]] bool noise_known() const { return noise_known_; }

  // `value_of` gives the figure of a run.
  template <typename ValueOf>
  [[nodiscard]] Change change(ValueOf&& value_of) const {
    return made(values(before_, value_of), values(after_, value_of));
  }

  [[nodiscard]] std::optional<Change> change_if_known(
      std::optional<std::uint64_t> RunFigures::*member) const {
    for (const Runs* side : {&before_, &after_})
      if (std::any_of(side->begin(), side->end(),
                      [&](const RunFigures& run) { return !(run.*member); }))
        return std::nullopt;
    return change([&](const RunFigures& run) { return *(run.*member); });
  }

  [[nodiscard]] std::vector<ChangedRow> rows(Section section) const;
  [[nodiscard]] std::vector<AdviceChange> advice() const;

 private:
  template <typename ValueOf>
  static std::vector<std::uint64_t> values(const Runs& side, ValueOf&& value_of) {
    std::vector<std::uint64_t> list;
    for (const RunFigures& run : side) list.push_back(value_of(run));
    return list;
  }
  [[nodiscard]] Change made(std::vector<std::uint64_t> before,
                            std::vector<std::uint64_t> after) const;
  [[nodiscard]] ChangedRow row(Section section, const RowName& name) const;

  const Runs& before_;
  const Runs& after_;
  bool noise_known_;
};

Change Comparer::made(std::vector<std::uint64_t> before, std::vector<std::uint64_t> after) const {
  Change change{spread_of(std::move(before)), spread_of(std::move(after)), 0, std::nullopt};
  change.difference = static_cast<std::int64_t>(change.after.median - change.before.median);
  if (noise_known_) change.noise = is_noise(change.before, change.after);
  return change;
}

ChangedRow Comparer::row(Section section, const RowName& name) const {
  const auto of = [&](std::uint64_t Figures::*member) {
    return change([&](const RunFigures& run) {
      const auto found = run.of(section).find(name);
      return found != run.of(section).end() ? found->second.*member : 0;
    });
  };
  return {name, of(&Figures::breaks), of(&Figures::bytes), of(&Figures::items)};
}

std::vector<ChangedRow> Comparer::rows(Section section) const {
  std::set<RowName, RowNameOrder> names;
  for (const Runs* side : {&before_, &after_})
    for (const RunFigures& run : *side)
      for (const auto& [name, figures] : run.of(section)) names.insert(name);
  std::vector<ChangedRow> rows;
  for (const RowName& name : names) rows.push_back(row(section, name));
  std::stable_sort(rows.begin(), rows.end(), [](const ChangedRow& a, const ChangedRow& b) {
    const auto rank = [](const ChangedRow& row) {
      return std::tuple(!row.bytes.noise.value_or(false), size_of(row.bytes.difference),
                        size_of(row.breaks.difference),
                        std::max(row.bytes.before.most, row.bytes.after.most));
    };
    return rank(a) > rank(b);
  });
  return rows;
}

std::vector<AdviceChange> Comparer::advice() const {
  std::map<std::string, AdviceChange> by_id;
  const auto add = [&](const Runs& side, std::uint64_t AdviceChange::*given,
                       std::optional<Spread> AdviceChange::*saves) {
    std::map<std::string, std::vector<std::uint64_t>> bounds;
    for (const RunFigures& run : side)
      for (const auto& [id, bound] : run.advice) {
        AdviceChange& change = by_id[id];
        change.id = id;
        ++(change.*given);
        if (bound) bounds[id].push_back(*bound);
      }
    for (auto& [id, list] : bounds) by_id[id].*saves = spread_of(std::move(list));
  };
  add(before_, &AdviceChange::runs_before, &AdviceChange::saves_before);
  add(after_, &AdviceChange::runs_after, &AdviceChange::saves_after);
  std::vector<AdviceChange> list;
  for (auto& [id, change] : by_id) list.push_back(std::move(change));
  return list;
}

void forget_rows(Runs& runs) {
  for (RunFigures& run : runs)
    for (Rows& rows : run.rows) rows.clear();
}

}  // namespace

Spread spread_of(std::vector<std::uint64_t> values) {
  std::sort(values.begin(), values.end());
  const std::uint64_t low = values[(values.size() - 1) / 2];
  const std::uint64_t high = values[values.size() / 2];
  return {low + (high - low) / 2, values.front(), values.back()};
}

bool is_noise(const Spread& before, const Spread& after) {
  const std::uint64_t width = std::max(before.most - before.least, after.most - after.least);
  if (before.most < after.least) return after.least - before.most <= width;
  if (after.most < before.least) return before.least - after.most <= width;
  return true;
}

Comparison compare(std::vector<RunFigures> before, std::vector<RunFigures> after) {
  match_moved_code(before, after);
  const Comparer comparer(before, after);
  Comparison result;
  result.warnings = comparability_warnings(before, after);
  result.noise_known = comparer.noise_known();
  result.breaks = comparer.change([](const RunFigures& run) { return run.breaks; });
  result.copied_bytes = comparer.change([](const RunFigures& run) { return run.copied_bytes; });
  result.processes = comparer.change([](const RunFigures& run) { return run.processes; });
  result.inherited_bytes = comparer.change_if_known(&RunFigures::inherited_bytes);
  result.still_shared_bytes = comparer.change_if_known(&RunFigures::still_shared_bytes);
  for (std::size_t section = 0; section < kSections; ++section)
    result.rows[section] = comparer.rows(static_cast<Section>(section));
  result.advice = comparer.advice();
  forget_rows(before);
  forget_rows(after);
  result.before = std::move(before);
  result.after = std::move(after);
  return result;
}

}  // namespace cowtrace::analysis
