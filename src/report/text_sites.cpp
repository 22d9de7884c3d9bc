// SPDX-License-Identifier: Apache-2.0
// Which code broke the pages.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "analysis/sites.h"
#include "base/units.h"
#include "report/frame_text.h"
#include "report/stack_lines.h"
#include "report/text_sections.h"

namespace cowtrace::report {

namespace {

constexpr std::size_t kNumbers = 24;  // columns of "  breaks  copied  "

// Sites whose shown stack frames are the same.
struct Row {
  const analysis::SiteSummary* first = nullptr;
  std::size_t least_left_out = SIZE_MAX, most_left_out = 0;  // callers
  analysis::BreakCount count;
  analysis::ByCause by_cause{};
  std::uint64_t ending = 0;  // of count.breaks

  void add(const analysis::SiteSummary& site, std::size_t left_out) {
    if (first == nullptr) first = &site;
    least_left_out = std::min(least_left_out, left_out);
    most_left_out = std::max(most_left_out, left_out);
    count.add(site.breaks, site.copied_bytes);
    ending += site.ending.breaks;
    for (std::size_t cause = 0; cause < by_cause.size(); ++cause)
      by_cause[cause].add(site.by_cause[cause].breaks, site.by_cause[cause].bytes);
  }
};

// Numbers of the lines that stack frames are shown as: what looks alike has one number.
class LineNumbers {
 public:
  explicit LineNumbers(std::size_t room) : room_(room) {}

  // Of the lines of a whole stack.
  using Stack = std::array<std::uint32_t, kShownFrames>;
  struct Hash {
    std::size_t operator()(const Stack& numbers) const {
      std::size_t sum = 0;
      for (const std::uint32_t number : numbers)
        sum = (sum + number) * 0x9e37'79b9'7f4a'7c15;  // 2^64 / golden ratio
      return sum;
    }
  };
  Stack of(const analysis::NamedStack& stack) {
    Stack numbers{};  // 0: no line
    for (std::size_t depth = 0; depth < std::min(stack.size(), kShownFrames); ++depth)
      numbers[depth] = of(*stack[depth], depth);
    return numbers;
  }

 private:
  std::uint32_t of(const model::StackFrame& frame, std::size_t depth) {
    std::uint32_t& number = known_[depth == 0 ? 0 : 1][&frame];
    if (number == 0)
      number =
          lines_.try_emplace(described(frame, stack_line_room(depth, room_)), lines_.size() + 1)
              .first->second;
    return number;
  }

  std::size_t room_;
  std::array<std::unordered_map<const model::StackFrame*, std::uint32_t>, 2> known_;
  std::unordered_map<std::string, std::uint32_t> lines_;
};

// By copied bytes, most first.
std::vector<Row> rows_of(const TextContext& context,
                         const std::vector<analysis::SiteSummary>& sites) {
  std::vector<Row> rows;
  LineNumbers lines(context.options.width - kNumbers);
  std::unordered_map<LineNumbers::Stack, std::size_t, LineNumbers::Hash> place;
  rows.reserve(sites.size());
  place.reserve(sites.size());
  for (const analysis::SiteSummary& site : sites) {
    const analysis::NamedStack& stack = site.frames;
    const auto [at, is_new] = place.try_emplace(lines.of(stack), rows.size());
    if (is_new) rows.emplace_back();
    rows[at->second].add(site, callers_left_out(stack.size()));
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.count.bytes > b.count.bytes; });
  return rows;
}

void print_row(const TextContext& context, const Row& row) {
  const auto put = [&](std::string_view before, std::string_view text) {
    context.out << fmt::format("{:{}}{}\n", before, kNumbers, text);
  };
  const std::vector<std::string> lines =
      stack_lines(row.first->frames, context.options.width - kNumbers);
  put(fmt::format("  {:>9}  {:>9}  ", human_count(row.count.breaks), human_bytes(row.count.bytes)),
      lines[0]);
  for (std::size_t i = 1; i < lines.size(); ++i) put("", lines[i]);
  if (row.most_left_out != 0)
    put("", callers_left_out_words(row.least_left_out, row.most_left_out));
  std::string causes = main_causes(row.by_cause);
  if (row.ending != 0)
    causes += fmt::format("{}while ending {}", causes.empty() ? "" : "; ",
                          percent(row.ending, row.count.breaks));
  if (!causes.empty())
    put("", "cause: " + fitted(causes, context.options.width - kNumbers - 7, Cut::End));
}

void print_all(const TextContext& context, const std::vector<analysis::SiteSummary>& sites,
               std::string_view header) {
  context.out << painted(header, Paint::Faint, context.options.color) << '\n';
  const std::vector<Row> rows = rows_of(context, sites);
  const std::size_t shown = std::min(rows.size(), context.options.rows);
  analysis::BreakCount left_out;
  for (std::size_t i = 0; i < shown; ++i) print_row(context, rows[i]);
  for (std::size_t i = shown; i < rows.size(); ++i)
    left_out.add(rows[i].count.breaks, rows[i].count.bytes);
  context.and_more(rows.size() - shown, left_out.breaks, left_out.bytes);
}

}  // namespace

void print_sites(const TextContext& context) {
  const auto& sites = context.summary.sites;
  if (sites.empty()) return;
  context.title("Sites that broke pages");
  print_all(context, sites, "     BREAKS     COPIED  WRITTEN BY");
}

void print_allocators(const TextContext& context) {
  const auto& sites = context.summary.allocators;
  const auto& unknown = context.summary.allocators_unknown;
  if (!unknown || (sites.empty() && unknown->breaks == 0)) return;
  context.title("Allocators (who first wrote the pages that were copied)");
  context.out << "  Calls of malloc are not followed: memory that was freed and given out again\n  "
                 "keeps its first writer.\n";
  if (!sites.empty()) print_all(context, sites, "     BREAKS     COPIED  FIRST WRITTEN BY");
  if (unknown->breaks != 0)
    context.out << fmt::format(
        "  not known: {}, {} copied; first written before tracing, without a page\n  fault, or at "
        "another address\n",
        counted(unknown->breaks, "break", "breaks"), human_bytes(unknown->bytes));
}

}  // namespace cowtrace::report
