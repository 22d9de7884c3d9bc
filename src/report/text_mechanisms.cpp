// SPDX-License-Identifier: Apache-2.0
// What the kernel did, how long it took, and what kind of write made it do so.
#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/units.h"
#include "report/text_sections.h"

namespace cowtrace::report {

namespace {

// Indices of the causes that occurred, by bytes, most first.
std::vector<std::size_t> by_bytes(const analysis::ByCause& by_cause) {
  std::vector<std::size_t> order;
  for (std::size_t c = 0; c < by_cause.size(); ++c)
    if (by_cause[c].breaks != 0) order.push_back(c);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return by_cause[a].bytes > by_cause[b].bytes;
  });
  return order;
}

bool only_unknown(const analysis::ByCause& by_cause) {
  for (std::size_t c = 0; c < by_cause.size(); ++c)
    if (c != static_cast<std::size_t>(model::Cause::Unknown) && by_cause[c].breaks != 0)
      return false;
  return true;
}

}  // namespace

std::string main_causes(const analysis::ByCause& by_cause) {
  if (only_unknown(by_cause)) return {};
  std::uint64_t all = 0;
  for (const auto& count : by_cause) all += count.breaks;
  std::string text;
  for (const std::size_t cause : by_bytes(by_cause))
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", model::kCauseNames[cause],
                        percent(by_cause[cause].breaks, all));
  return text;
}

void print_mechanisms(const TextContext& context) {
  // Explanations only where they fit whole.
  const bool explain = context.options.width >= 100;
  std::vector<TextTable::Column> columns = {
      {"MECHANISM", Align::Left}, {"COUNT"}, {"BYTES"}, {"P50"}, {"P99"}, {"MAX"}};
  if (explain) columns.push_back({"", Align::Left});
  TextTable table(columns);
  bool any = false;
  for (const model::MechanismInfo& mechanism : model::kMechanismTable) {
    const auto& sum =
        context.summary.totals.by_mechanism[static_cast<std::size_t>(mechanism.mechanism)];
    if (sum.count == 0) continue;
    any = true;
    const auto time = [&](std::uint64_t analysis::Latency::*member) {
      return sum.latency ? human_duration(*sum.latency.*member) : std::string("-");
    };
    std::vector<std::string> cells = {
        fmt::format("{} {}", mechanism.is_break ? '*' : ' ', mechanism.name),
        human_count(sum.count),
        human_bytes(sum.bytes),
        time(&analysis::Latency::p50),
        time(&analysis::Latency::p99),
        time(&analysis::Latency::max)};
    if (explain) cells.emplace_back(mechanism.about);
    table.add(std::move(cells));
  }
  if (!any) return;
  context.title("Mechanisms (* breaks: memory that was shared; only these count as copied)");
  context.print(table);
}

void print_causes(const TextContext& context) {
  const analysis::ByCause& by_cause = context.summary.totals.by_cause;
  const analysis::Totals& totals = context.summary.totals;
  const bool some_ending = totals.ending_bytes() != 0;
  if (only_unknown(by_cause) && !some_ending) return;
  std::vector<TextTable::Column> columns = {
      {"CAUSE", Align::Left}, {"BREAKS"}, {"COPIED"}, {"", Align::Left}};
  if (some_ending) columns.push_back({"WHILE ENDING"});
  TextTable table(columns);
  for (const std::size_t cause : by_bytes(by_cause)) {
    std::vector<std::string> cells = {
        std::string(model::kCauseNames[cause]), human_count(by_cause[cause].breaks),
        human_bytes(by_cause[cause].bytes), percent(by_cause[cause].bytes, totals.copied_bytes)};
    const std::uint64_t ending = totals.ending_by_cause[cause].bytes;
    if (some_ending) cells.push_back(ending != 0 ? human_bytes(ending) : "-");
    table.add(std::move(cells));
  }
  context.title("Causes");
  context.print(table);
}

}  // namespace cowtrace::report
