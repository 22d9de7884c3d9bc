// SPDX-License-Identifier: Apache-2.0
// What an HTML report holds beside pages and events: what the capture says of itself, objects,
// sites, and the texts of all of these.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "analysis/summary.h"
#include "report/html_sections.h"
#include "report/options.h"

namespace cowtrace::report {

// Texts by number; 0 is the empty one. All are untrusted.
class HtmlStrings {
 public:
  std::uint32_t of(std::string_view text);
  void write(HtmlSections& sections) const;

 private:
  std::deque<std::string> texts_{std::string()};
  std::unordered_map<std::string_view, std::uint32_t> number_{{texts_.front(), 0}};
};

// The objects in order of their addresses, so that those on a page are runs of few numbers.
class HtmlObjects {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  // What is beyond is nobody's but a neighbour, and left out: its names would be most of the file.
  static constexpr std::size_t kMost = 400'000;

  HtmlObjects(const analysis::Summary& summary, HtmlStrings& strings);

  void write(HtmlSections& sections) const;
  // kNone for what was left out.
  [[nodiscard]] std::uint32_t number(analysis::ObjectId id) const {
    return id.value < number_.size() ? number_[id.value] : kNone;
  }
  [[nodiscard]] std::size_t left_out() const { return objects_.size() - order_.size(); }

 private:
  const std::vector<analysis::ObjectSummary>& objects_;
  HtmlStrings& strings_;
  std::vector<std::uint32_t> order_;   // index of Summary::objects, by number here
  std::vector<std::uint32_t> number_;  // the other way round
};

void write_html_meta(const analysis::Summary& summary, const ReportOptions& options,
                     const HtmlObjects& objects, HtmlSections& sections);

void write_html_sites(const analysis::Summary& summary, HtmlStrings& strings,
                      HtmlSections& sections);

}  // namespace cowtrace::report
