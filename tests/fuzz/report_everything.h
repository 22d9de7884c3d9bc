// SPDX-License-Identifier: Apache-2.0
// All that `cowtrace report` does with a trace that could be read: a hostile one reaches that too.
#pragma once

#include <cstdlib>
#include <memory>
#include <ostream>
#include <streambuf>

#include "analysis/join.h"
#include "report/formats.h"
#include "trace/reader.h"

namespace cowtrace::fuzz {

// Takes everything, keeps nothing.
class NullBuffer final : public std::streambuf {
 protected:
  int_type overflow(int_type character) override { return traits_type::not_eof(character); }
  std::streamsize xsputn(const char*, std::streamsize size) override { return size; }
};

// Renders the trace in every format; false if one of them failed.
inline bool report_everything(const trace::Trace& trace) {
  const analysis::Report report = analysis::join(*trace.session, trace.facts);
  NullBuffer nothing;
  std::ostream out(&nothing);
  bool all = true;
  for (const report::Format& format : report::formats()) {
    if (format.write == nullptr) continue;
    report::ReportOptions options;
    options.version = "0";
    options.width = 120;
    all = format.write(report, options, out).has_value() && all;
  }
  return all;
}

// The whole of one input, whether it could be read or not.
inline void try_everything(const Result<trace::Trace>& trace) {
  if (trace && !report_everything(*trace)) std::abort();
}

}  // namespace cowtrace::fuzz
