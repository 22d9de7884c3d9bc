// SPDX-License-Identifier: Apache-2.0
#include "report/html_columns.h"

#include <algorithm>

namespace cowtrace::report {

namespace {

void to_deltas(std::vector<std::uint64_t>& values) {
  std::uint64_t last = 0;
  for (std::uint64_t& value : values) {
    const std::uint64_t delta = value - last;
    last = value;
    value = (delta >> 63) != 0 ? ~(delta << 1) : delta << 1;
  }
}

void put_column(std::string& body, const std::vector<std::uint64_t>& values) {
  std::uint64_t all = 0;
  for (const std::uint64_t value : values) all |= value;
  unsigned planes = 0;
  for (; all != 0; all >>= 8) ++planes;
  body += static_cast<char>(planes);
  for (unsigned plane = 0; plane < planes; ++plane)
    for (const std::uint64_t value : values) body += static_cast<char>(value >> (8 * plane) & 0xff);
}

}  // namespace

void HtmlTable::add(std::initializer_list<std::uint64_t> row) {
  auto column = values_.begin();
  for (const std::uint64_t value : row) (column++)->push_back(value);
  if (++rows_ == kRows) finish();
}

void HtmlTable::finish() {
  if (rows_ == 0) return;
  std::string body;
  for (int byte = 0; byte < 4; ++byte) body += static_cast<char>(rows_ >> (8 * byte) & 0xff);
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (layout_[i].delta) to_deltas(values_[i]);
    put_column(body, values_[i]);
    values_[i].clear();
  }
  sections_.columns(name_, body);
  rows_ = 0;
}

}  // namespace cowtrace::report
