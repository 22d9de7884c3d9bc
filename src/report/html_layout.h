// SPDX-License-Identifier: Apache-2.0
// The tables of an HTML report and their columns, in the order in which rows are added.
// src/report/web/src/data.ts reads them by name.
#pragma once

#include <vector>

#include "report/html_columns.h"

namespace cowtrace::report {

// Numbers that refer to another table are one more than the row there; 0: none. `id` is the JSON
// report's.
inline const std::vector<HtmlColumn> kObjectColumns = {
    {"id"},    {"kind"},       {"address", true},   {"size"},    {"name", true}, {"type"},
    {"group"}, {"groupItems"}, {"neighbourBreaks"}, {"written"}, {"kept"}};

inline const std::vector<HtmlColumn> kSiteColumns = {{"frames"}, {"truncated"}};
inline const std::vector<HtmlColumn> kSiteFrameColumns = {{"frame"}};

// `events` follow each other in table "events", `runs` in table "neighbours".
inline const std::vector<HtmlColumn> kPageColumns = {{"process"}, {"page", true}, {"pages"},
                                                     {"range"},   {"events"},     {"runs"}};
inline const std::vector<HtmlColumn> kNeighbourColumns = {{"first", true}, {"count"}};
inline const std::vector<HtmlColumn> kEventColumns = {
    {"time", true}, {"offset"},         {"count"},         {"pages"}, {"mechanism"},
    {"cause"},      {"flags"},          {"object", true},  {"field"}, {"site"},
    {"actor"},      {"oldFrame", true}, {"newFrame", true}};

// Bits of `flags`.
inline constexpr std::uint64_t kCollecting = 1;
inline constexpr std::uint64_t kInKernel = 2;
inline constexpr std::uint64_t kPhaseShift = 2;  // above: model::Phase

}  // namespace cowtrace::report
