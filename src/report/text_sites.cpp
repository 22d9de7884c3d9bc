// SPDX-License-Identifier: Apache-2.0
// Which code broke the pages.
#include <fmt/format.h>

#include <algorithm>

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
  const std::string causes = main_causes(site.by_cause);
  if (!causes.empty())
    context.out << fmt::format("{:{}}cause: {}\n", "", kNumbers, fitted(causes, room - 7));
}

}  // namespace

void print_sites(const TextContext& context) {
  const auto& sites = context.summary.sites;
  if (sites.empty()) return;
  context.title("Sites that broke pages");
  context.out << painted("     BREAKS     COPIED  WRITTEN BY", Paint::Faint, context.options.color)
              << '\n';
  analysis::SiteFrames frames(context.session, context.resolver);
  const std::size_t shown = std::min(sites.size(), context.options.rows);
  std::uint64_t breaks = 0;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < sites.size(); ++i) {
    if (i < shown) {
      print_site(context, sites[i], frames.of(sites[i]));
      continue;
    }
    breaks += sites[i].breaks;
    bytes += sites[i].copied_bytes;
  }
  context.and_more(sites.size() - shown, breaks, bytes);
}

}  // namespace cowtrace::report
