// SPDX-License-Identifier: Apache-2.0
// The sections of the text report, in the order of the questions that a reader has. Each prints
// nothing if there is nothing to say.
#pragma once

#include <ostream>
#include <string>
#include <string_view>

#include "analysis/summary.h"
#include "model/session.h"
#include "report/options.h"
#include "report/text_layout.h"

namespace cowtrace::report {

struct TextContext {
  const analysis::Summary& summary;
  const model::Session& session;
  const ReportOptions& options;
  std::ostream& out;

  void title(std::string_view text) const {
    out << '\n' << painted(text, Paint::Bold, options.color) << '\n';
  }
  void print(const TextTable& table) const { table.print(out, options.width, options.color); }
  // One paragraph; lines after the first are indented by `hanging` columns.
  void paragraph(std::string_view text, Paint paint, std::size_t hanging) const;
  // "  and 12 more: 34 breaks, 136.0 KiB copied" if there are more than were shown.
  void and_more(std::size_t left_out, std::uint64_t breaks, std::uint64_t bytes) const;
};

void print_headline(const TextContext& context);
void print_warnings(const TextContext& context);
void print_capture(const TextContext& context);
void print_processes(const TextContext& context);
void print_audit(const TextContext& context);
void print_mechanisms(const TextContext& context);
void print_stalls(const TextContext& context);
void print_causes(const TextContext& context);
void print_mappings(const TextContext& context);
void print_objects(const TextContext& context);
void print_neighbours(const TextContext& context);
void print_sites(const TextContext& context);
void print_allocators(const TextContext& context);
void print_watches(const TextContext& context);
void print_advice(const TextContext& context);
void print_last_warning(const TextContext& context);

// "refcount 90%, value 10%"; empty if no cause is known.
std::string main_causes(const analysis::ByCause& by_cause);

}  // namespace cowtrace::report
