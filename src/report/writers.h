// SPDX-License-Identifier: Apache-2.0
// One function a format, each in the file of its name. It writes what the Report holds and asks
// nothing else. It fails when `out` did not take everything.
#pragma once

#include <ostream>

#include "analysis/report.h"
#include "base/result.h"
#include "report/options.h"

namespace cowtrace::report {

using Write = Status(const analysis::Report& report, const ReportOptions& options,
                     std::ostream& out);

Write write_folded;
Write write_html;
Write write_json;
Write write_json_lines;
Write write_perfetto;
Write write_pprof;
Write write_speedscope;
Write write_text;

}  // namespace cowtrace::report
