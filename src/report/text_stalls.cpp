// SPDX-License-Identifier: Apache-2.0
// How long processes stood still: for their forks, and for the breaks of what they share.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

#include "base/units.h"
#include "report/text_sections.h"

namespace cowtrace::report {

namespace {

using analysis::StallSummary;

// Buckets are put together up to these.
struct Decade {
  std::uint64_t below_ns;  // 0: without bound
  const char* title;
};
constexpr std::array<Decade, 7> kDecades = {{{10'000, "<10us"},
                                             {100'000, "<100us"},
                                             {1'000'000, "<1ms"},
                                             {10'000'000, "<10ms"},
                                             {100'000'000, "<100ms"},
                                             {1'000'000'000, "<1s"},
                                             {0, "longer"}}};
using Decades = std::array<std::uint64_t, kDecades.size()>;

Decades decades_of(const StallSummary& stall) {
  Decades sums{};
  std::size_t decade = 0;
  for (std::size_t i = 0; i < stall.bucket.size(); ++i) {
    const bool bounded = i < StallSummary::kBounds.size();
    while (kDecades[decade].below_ns != 0 &&
           (!bounded || StallSummary::kBounds[i] > kDecades[decade].below_ns))
      ++decade;
    sums[decade] += stall.bucket[i];
  }
  return sums;
}

struct Range {
  std::size_t first = kDecades.size(), last = 0;
};

constexpr std::size_t kMostColumns = 4;  // of decades, in a line of 80

// From the first to the last that any process has; where these are too many, the first one shown
// takes what is below it.
Range used(const std::vector<StallSummary>& stalls) {
  Range range;
  for (const StallSummary& stall : stalls) {
    const Decades sums = decades_of(stall);
    for (std::size_t i = 0; i < sums.size(); ++i) {
      if (sums[i] == 0) continue;
      range.first = std::min(range.first, i);
      range.last = std::max(range.last, i);
    }
  }
  if (range.first <= range.last)
    range.first = std::max(range.first, range.last - std::min(range.last, kMostColumns - 1));
  return range;
}

}  // namespace

void print_stalls(const TextContext& context) {
  const auto& stalls = context.summary.stalls;
  if (stalls.empty()) return;
  const Range range = used(stalls);
  std::vector<TextTable::Column> columns = {{"PID"},    {"COMMAND", TextTable::Align::Left, 1},
                                            {"FORKS"},  {"LONGEST"},
                                            {"BREAKS"}, {"WAITED"}};
  for (std::size_t i = range.first; i <= range.last; ++i) columns.push_back({kDecades[i].title});
  TextTable table(columns);
  const std::size_t rows = std::min(context.options.rows, stalls.size());
  for (std::size_t row = 0; row < rows; ++row) {
    const StallSummary& stall = stalls[row];
    const analysis::ProcessSummary& process = context.summary.processes[stall.process.value];
    std::vector<std::string> cells = {std::to_string(process.pid),
                                      printable(process.command),
                                      stall.forks == 0 ? "-" : human_count(stall.forks),
                                      stall.forks == 0 ? "-" : human_duration(stall.fork_max_ns),
                                      human_count(stall.breaks),
                                      human_duration(stall.break_total_ns)};
    Decades sums = decades_of(stall);
    if (range.first < sums.size())
      sums[range.first] =
          std::accumulate(sums.begin(), sums.begin() + static_cast<std::ptrdiff_t>(range.first) + 1,
                          std::uint64_t{0});
    for (std::size_t i = range.first; i <= range.last; ++i)
      cells.push_back(sums[i] == 0 ? "-" : human_count(sums[i]));
    table.add(std::move(cells));
  }
  context.title("Stalls (the longest fork; how long breaks kept their writers)");
  context.print(table);
  if (rows < stalls.size())
    context.out << fmt::format("  and {} more\n",
                               counted(stalls.size() - rows, "process", "processes"));
}

}  // namespace cowtrace::report
