// SPDX-License-Identifier: Apache-2.0
// Lines and tables that fit a terminal. Text is UTF-8 and already printable; a code point is taken
// for one column.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "base/text_width.h"

namespace cowtrace::report {

using cowtrace::columns;
using cowtrace::Cut;
using cowtrace::fitted;

enum class Paint { Plain, Bold, Warning, Faint };

// `text` in colour if `color`.
std::string painted(std::string_view text, Paint paint, bool color);

// Breaks `text` at spaces into lines of at most `width` columns; longer words are kept whole.
std::vector<std::string> wrapped(std::string_view text, std::size_t width);

// "[###.......]", `part` of `whole` rounded to tenths, where anything but nothing shows.
std::string bar(std::uint64_t part, std::uint64_t whole);

// "50%"; "<1%" for a part that would round to nothing.
std::string percent(std::uint64_t part, std::uint64_t whole);

// "1 page", "2,006 pages".
std::string counted(std::uint64_t count, std::string_view one, std::string_view many);

// "-" for what is not known.
std::string bytes_or_dash(const std::optional<std::uint64_t>& bytes);

class TextTable {
 public:
  enum class Align { Left, Right };
  struct Column {
    std::string_view title;
    Align align = Align::Right;
    std::size_t shrinks = 0;  // gives way when the table is too wide: 2 twice as much as 1, 0 never
    Cut cut = Cut::Middle;    // of a cell that is too long
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // One cell a column.
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

  // Titles first, all lines indented by two columns and no wider than `width`.
  void print(std::ostream& out, std::size_t width, bool color) const;

 private:
  [[nodiscard]] std::vector<std::size_t> widths(std::size_t available) const;
  [[nodiscard]] std::string line(const std::vector<std::string>& cells,
                                 const std::vector<std::size_t>& widths) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

using Align = TextTable::Align;

}  // namespace cowtrace::report
