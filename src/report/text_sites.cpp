// SPDX-License-Identifier: Apache-2.0
// Which code broke the pages.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "analysis/sites.h"
#include "base/units.h"
#include "report/frame_text.h"
#include "report/text_sections.h"

namespace cowtrace::report {

namespace {

constexpr std::size_t kCallers = 3;   // stack frames shown below the one that wrote
constexpr std::size_t kNumbers = 24;  // columns of "  breaks  copied  "

void print_site(const TextContext& context, const analysis::SiteSummary& site,
                const std::vector<model::StackFrame>& stack) {
  const std::size_t room = context.options.width - kNumbers;
  const std::string numbers =
      fmt::format("  {:>9}  {:>9}  ", human_count(site.breaks), human_bytes(site.copied_bytes));
  if (stack.empty()) {
    context.out << numbers << "(no stack)\n";
    return;
  }
  context.out << numbers << described(stack[0], room) << '\n';
  const std::size_t end = std::min(stack.size(), 1 + kCallers);
  for (std::size_t depth = 1; depth < end; ++depth)
    context.out << std::string(kNumbers, ' ') << "<- " << described(stack[depth], room - 3) << '\n';
  if (stack.size() > end)
    context.out << fmt::format("{:{}}<- and {} more\n", "", kNumbers, stack.size() - end);
  std::string causes = main_causes(site.by_cause);
  if (site.ending.breaks != 0)
    causes += fmt::format("{}while ending {}", causes.empty() ? "" : "; ", percent(site.ending.breaks, site.breaks));
  if (!causes.empty())
    context.out << fmt::format("{:{}}cause: {}\n", "", kNumbers, fitted(causes, room - 7));
}

// Returns what was left out.
analysis::BreakCount print_all(const TextContext& context, const std::vector<analysis::SiteSummary>& sites, std::string_view header) {
  context.out << painted(header, Paint::Faint, context.options.color) << '\n';
  analysis::SiteFrames frames(context.session, context.resolver);
  analysis::BreakCount left_out;
  for (std::size_t i = 0; i < sites.size(); ++i) {
    if (i < context.options.rows)
      print_site(context, sites[i], frames.of(sites[i]));
    else
      left_out.add(sites[i].breaks, sites[i].copied_bytes);
  }
  return left_out;
}

std::size_t more_than(std::size_t rows, const std::vector<analysis::SiteSummary>& sites) {
  return sites.size() - std::min(sites.size(), rows);
}

}  // namespace

void print_sites(const TextContext& context) {
  const auto& sites = context.summary.sites;
  if (sites.empty()) return;
  context.title("Sites that broke pages");
  const auto left_out = print_all(context, sites, "     BREAKS     COPIED  WRITTEN BY");
  context.and_more(more_than(context.options.rows, sites), left_out.breaks, left_out.bytes);
}

void print_allocators(const TextContext& context) {
  const auto& sites = context.summary.allocators;
  const auto& unknown = context.summary.allocators_unknown;
  if (!unknown || (sites.empty() && unknown->breaks == 0)) return;
  context.title("Allocators (who first wrote the pages that were copied)");
  context.out << "  Calls of malloc are not followed: memory that was freed and given out again\n  keeps its first writer.\n";
  if (!sites.empty()) {
    const auto left_out = print_all(context, sites, "     BREAKS     COPIED  FIRST WRITTEN BY");
    context.and_more(more_than(context.options.rows, sites), left_out.breaks, left_out.bytes);
  }
  if (unknown->breaks != 0)
    context.out << fmt::format("  not known: {}, {} copied; first written before tracing, without a page\n  fault, or at another address\n",
                               counted(unknown->breaks, "break", "breaks"), human_bytes(unknown->bytes));
}

}  // namespace cowtrace::report
