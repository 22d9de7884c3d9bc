// SPDX-License-Identifier: Apache-2.0
// One function a format, each in the file of its name. It writes what the Report holds and asks
// nothing else. It fails when `out` did not take everything.
#pragma once

#include <ostream>

#include "analysis/report.h"
#include "base/result.h"
#include "report/options.h"

namespace cowtrace::report {

using WriteReport = Status(const analysis::Report& report, const ReportOptions& options,
                           std::ostream& out);

WriteReport write_folded;
WriteReport write_html;
WriteReport write_json;
WriteReport write_json_lines;
WriteReport write_perfetto;
WriteReport write_pprof;
WriteReport write_speedscope;
WriteReport write_text;

}  // namespace cowtrace::report
