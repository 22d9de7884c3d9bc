// SPDX-License-Identifier: Apache-2.0
#include "report/text_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/units.h"

namespace cowtrace::report {

namespace {

constexpr std::size_t kIndent = 2;
constexpr std::size_t kGap = 2;
constexpr std::size_t kNarrowest = 8;  // of a column that shrinks

}  // namespace

std::string painted(std::string_view text, Paint paint, bool color) {
  if (!color || paint == Paint::Plain) return std::string(text);
  const std::string_view code = paint == Paint::Bold ? "1" : paint == Paint::Warning ? "1;31" : "2";
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  std::string line;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.empty() && columns(line) + 1 + columns(word) > width) {
      lines.push_back(line);
      line.clear();
    }
    if (!line.empty()) line += ' ';
    line += word;
  }
  if (!line.empty()) lines.push_back(line);
  return lines;
}

std::string bar(std::uint64_t part, std::uint64_t whole) {
  constexpr std::size_t kCells = 10;
  const double share = whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
  auto full = static_cast<std::size_t>(std::lround(std::clamp(share, 0.0, 1.0) * kCells));
  if (part != 0 && whole != 0) full = std::max<std::size_t>(full, 1);
  return fmt::format("[{}{}]", std::string(full, '#'), std::string(kCells - full, '.'));
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "-";
  const double share = 100 * static_cast<double>(part) / static_cast<double>(whole);
  if (part != 0 && share < 0.5) return "<1%";
  return fmt::format("{:.0f}%", share);
}

std::string counted(std::uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", human_count(count), count == 1 ? one : many);
}

std::string bytes_or_dash(const std::optional<std::uint64_t>& bytes) {
  return bytes ? human_bytes(*bytes) : "-";
}

std::vector<std::size_t> TextTable::widths(std::size_t available) const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    widths.push_back(columns(columns_[c].title));
    for (const auto& row : rows_) widths[c] = std::max(widths[c], columns(row[c]));
  }
  std::size_t total = kIndent + kGap * (columns_.size() - 1);
  for (const std::size_t width : widths) total += width;
  for (; total > available; --total) {
    std::size_t widest = columns_.size();
    for (std::size_t c = 0; c < columns_.size(); ++c)
      if (columns_[c].shrinks != 0 && widths[c] > kNarrowest &&
          (widest == columns_.size() ||
           widths[c] * columns_[c].shrinks > widths[widest] * columns_[widest].shrinks))
        widest = c;
    if (widest == columns_.size()) break;
    --widths[widest];
  }
  return widths;
}

std::string TextTable::line(const std::vector<std::string>& cells,
                            const std::vector<std::size_t>& widths) const {
  std::string text(kIndent, ' ');
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    const std::string cell = fitted(cells[c], widths[c], columns_[c].cut);
    const std::string padding(widths[c] - columns(cell), ' ');
    if (c != 0) text.append(kGap, ' ');
    text += columns_[c].align == Align::Right ? padding + cell : cell + padding;
  }
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

void TextTable::print(std::ostream& out, std::size_t width, bool color) const {
  const std::vector<std::size_t> each = widths(width);
  std::vector<std::string> titles;
  for (const Column& column : columns_) titles.emplace_back(column.title);
  out << painted(line(titles, each), Paint::Faint, color) << '\n';
  for (const auto& row : rows_) out << line(row, each) << '\n';
}

}  // namespace cowtrace::report
