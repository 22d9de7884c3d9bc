// SPDX-License-Identifier: Apache-2.0
#include "report/html_tables.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <string_view>
#include <unordered_map>

#include "analysis/clock.h"
#include "analysis/sites.h"
#include "model/mechanism.h"
#include "report/headline.h"
#include "report/html_layout.h"
#include "report/json_rows.h"

namespace cowtrace::report {

std::uint32_t HtmlStrings::of(std::string_view text) {
  const auto known = number_.find(text);
  if (known != number_.end()) return known->second;
  const auto number = static_cast<std::uint32_t>(texts_.size());
  number_.emplace(texts_.emplace_back(text), number);
  return number;
}

void HtmlStrings::write(HtmlSections& sections) const {
  constexpr std::size_t kOnce = 1 << 14;
  for (std::size_t first = 0; first < texts_.size(); first += kOnce) {
    Json part = Json::array();
    for (std::size_t i = first; i < std::min(texts_.size(), first + kOnce); ++i)
      part.push_back(texts_[i]);
    sections.json("strings", part);
  }
}

HtmlObjects::HtmlObjects(const analysis::Summary& summary, HtmlStrings& strings)
    : objects_(summary.objects), strings_(strings) {
  // Written ones come first in the summary.
  std::size_t kept = std::min(objects_.size(), kMost);
  while (kept < objects_.size() && objects_[kept].breaks != 0) ++kept;
  order_.resize(kept);
  std::iota(order_.begin(), order_.end(), 0U);
  std::stable_sort(order_.begin(), order_.end(), [this](std::uint32_t a, std::uint32_t b) {
    return objects_[a].address < objects_[b].address;
  });
  number_.resize(kept);
  for (std::uint32_t i = 0; i < kept; ++i) number_[order_[i]] = i;
}

void HtmlObjects::write(HtmlSections& sections) const {
  HtmlTable table("objects", kObjectColumns, sections);
  for (const std::uint32_t at : order_) {
    const analysis::ObjectSummary& object = objects_[at];
    table.add({object.id.value, static_cast<std::uint64_t>(object.kind), object.address,
               object.size, strings_.of(object.name), strings_.of(object.type),
               strings_.of(object.group), object.group_items, object.neighbour_breaks,
               object.written_bytes ? *object.written_bytes + 1 : 0,
               object.kept_by_interpreter ? 1U : 0U});
  }
  table.finish();
}

namespace {

Json layout_json(const std::vector<HtmlColumn>& columns) {
  Json json = Json::array();
  for (const HtmlColumn& column : columns) json.push_back({column.name, column.delta});
  return json;
}

template <typename Rows, typename MakeJson>
Json list_json(const Rows& rows, MakeJson&& make_json) {
  Json json = Json::array();
  for (const auto& row : rows) json.push_back(make_json(row));
  return json;
}

// What this program knows, and as many more as the numbers that were met ask for.
template <typename Table, typename IsMet>
auto known_or_met(const Table& table, std::size_t known, IsMet&& is_met) {
  std::size_t numbers = table.size();
  while (numbers > known && !is_met(numbers - 1)) --numbers;
  return std::span(table).first(numbers);
}

}  // namespace

void write_html_meta(const analysis::Summary& summary, const ReportOptions& options,
                     const HtmlObjects& objects, HtmlSections& sections) {
  sections.json("layout", {{"objects", layout_json(kObjectColumns)},
                           {"sites", layout_json(kSiteColumns)},
                           {"siteFrames", layout_json(kSiteFrameColumns)},
                           {"pages", layout_json(kPageColumns)},
                           {"neighbours", layout_json(kNeighbourColumns)},
                           {"events", layout_json(kEventColumns)}});
  Json mechanisms = Json::array();
  for (const model::MechanismInfo& mechanism : known_or_met(
           model::kMechanismTable, model::kMechanisms,
           [&](std::size_t number) { return summary.totals.by_mechanism[number].count != 0; }))
    mechanisms.push_back(
        {{"name", mechanism.name}, {"is_break", mechanism.is_break}, {"about", mechanism.about}});
  Json causes = Json::array();
  for (const std::string_view cause : known_or_met(
           model::kCauseNames, model::kCauses,
           [&](std::size_t number) { return summary.totals.by_cause[number].breaks != 0; }))
    causes.push_back(cause);
  sections.json("meta", {{"version", options.version},
                         {"headline", headline(summary)},
                         {"nothing_was_shared", nothing_was_shared(summary)},
                         {"warnings", warnings(summary)},
                         {"mechanisms", mechanisms},
                         {"causes", causes},
                         {"phases", model::kPhaseNames},
                         {"kinds", model::kObjectKindNames},
                         {"objects_left_out", objects.left_out()},
                         {"capture", capture_json(summary.capture)},
                         {"totals", totals_json(summary.totals)},
                         {"processes", list_json(summary.processes, process_json)},
                         {"stalls", list_json(summary.stalls, stall_json)},
                         {"mappings", list_json(summary.mappings, mapping_json)},
                         {"watches", list_json(summary.watches, watch_json)},
                         {"advice", list_json(summary.advice, advice_json)}});
}

void write_html_sites(const analysis::Summary& summary, HtmlStrings& strings,
                      HtmlSections& sections) {
  std::unordered_map<const model::StackFrame*, std::uint32_t> number;
  Json frames = Json::array();
  HtmlTable sites("sites", kSiteColumns, sections);
  HtmlTable site_frames("siteFrames", kSiteFrameColumns, sections);
  for (const analysis::SiteSummary& site : summary.sites) {
    const analysis::NamedStack& stack = site.frames;
    sites.add({stack.size(), site.truncated ? 1U : 0U});
    for (const model::StackFrame* frame : stack) {
      const auto [at, is_new] =
          number.try_emplace(frame, static_cast<std::uint32_t>(number.size()));
      if (is_new)
        frames.push_back({strings.of(frame->function), strings.of(frame->file), frame->line,
                          strings.of(frame->module),
                          (frame->python ? 1 : 0) | (frame->inlined ? 2 : 0),
                          strings.of(frame->why_unnamed)});
      site_frames.add({at->second});
    }
  }
  sites.finish();
  site_frames.finish();
  sections.json("frames", frames);
}

}  // namespace cowtrace::report
