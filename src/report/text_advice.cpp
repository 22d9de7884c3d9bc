// SPDX-License-Identifier: Apache-2.0
// What could be done about it.
#include <fmt/format.h>

#include "base/units.h"
#include "report/text_sections.h"

namespace cowtrace::report {

void print_advice(const TextContext& context) {
  const auto& rows = context.summary.advice;
  if (rows.empty()) return;
  constexpr std::size_t kNumber = 13;  // columns of "  390.6 MiB  "
  context.title("Advice (what it saves at most; two rows may speak of the same copies)");
  for (const analysis::Advice& advice : rows) {
    std::string start = fmt::format("  {:>9}  ", bytes_or_dash(advice.saves_at_most_bytes));
    for (const std::string& line : wrapped(advice.text, context.options.width - kNumber)) {
      context.out << start << line << '\n';
      start.assign(kNumber, ' ');
    }
    context.out << start << painted(analysis::path_of(advice), Paint::Faint, context.options.color)
                << '\n';
  }
}

}  // namespace cowtrace::report
