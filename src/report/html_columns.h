// SPDX-License-Identifier: Apache-2.0
// A table of numbers by columns, for HtmlSections. A column is a byte with the number of bytes that
// its largest value has, and then that many planes: the lowest bytes of all rows, the next ones of
// all rows, and so on. Deflate finds more in that than in rows. A *delta* column holds the
// differences of successive rows in zigzag order (0, -1, 1, -2, ...), and begins anew with each
// section.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "report/html_sections.h"

namespace cowtrace::report {

struct HtmlColumn {
  std::string_view name;
  bool delta = false;
};

class HtmlTable {
 public:
  // `name` and `columns` outlive it.
  HtmlTable(std::string_view name, const std::vector<HtmlColumn>& columns, HtmlSections& sections)
      : name_(name), layout_(columns), values_(columns.size()), sections_(sections) {}

  // One value a column.
  void add(std::initializer_list<std::uint64_t> row);
  // Writes what has not been written.
  void finish();

 private:
  static constexpr std::size_t kRows = 1 << 16;  // of a section

  std::string_view name_;
  const std::vector<HtmlColumn>& layout_;
  std::vector<std::vector<std::uint64_t>> values_;
  HtmlSections& sections_;
  std::size_t rows_ = 0;
};

}  // namespace cowtrace::report
