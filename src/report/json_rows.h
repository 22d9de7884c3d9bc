// SPDX-License-Identifier: Apache-2.0
// One JSON value for each kind of row of the report.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "analysis/summary.h"

namespace cowtrace::report {

using Json = nlohmann::ordered_json;

Json capture_json(const model::CaptureInfo& capture);
Json totals_json(const analysis::Totals& totals);
Json process_json(const analysis::ProcessSummary& process);
Json stall_json(const analysis::StallSummary& stall);
Json object_json(const analysis::ObjectSummary& object);
Json site_json(const analysis::SiteSummary& site);
Json end_json(const std::optional<std::uint32_t>& wait_status);
Json stack_frame_json(const model::StackFrame& frame);
// null where it is empty or not known.
Json or_null(std::string_view text);
Json or_null(const std::optional<std::uint64_t>& value);
Json or_null(const std::optional<model::ProcessKey>& key);
Json mapping_json(const analysis::MappingSummary& mapping);
Json watch_json(const analysis::WatchSummary& watch);
Json timeline_json(const analysis::TimelineRow& row);
Json advice_json(const analysis::Advice& advice);

}  // namespace cowtrace::report
