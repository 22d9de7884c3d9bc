// SPDX-License-Identifier: Apache-2.0
#include "process/line_table_size.h"

#include <dwarf.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

namespace cowtrace::process {
namespace {

constexpr std::uint64_t kRow = 160;  // bytes: while it is read and while it is kept (libdw 0.188)
constexpr std::uint64_t kFile = 64;  // without its path

// Reads forward; once something is missing, all that follows is 0.
class LineBytes {
 public:
  explicit LineBytes(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    if (!has(size)) return 0;
    std::memcpy(&value, bytes_.data(), size);
    bytes_.remove_prefix(size);
    return value;
  }
  std::uint64_t leb() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; has(1); shift += 7) {
      const std::uint64_t byte = number(1);
      if (shift < 64) value |= (byte & 0x7F) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    return 0;
  }
  // The length of a string that ends with NUL.
  std::uint64_t text() {
    const std::size_t end = bytes_.find('\0');
    if (end == std::string_view::npos) return skip(bytes_.size() + 1);
    return skip(end + 1), end;
  }
  std::uint64_t skip(std::uint64_t size) {
    if (has(size)) bytes_.remove_prefix(size);
    return 0;
  }
  void cut(std::uint64_t size) {
    if (has(size)) bytes_ = bytes_.substr(0, size);
  }
  [[nodiscard]] std::size_t left() const { return bytes_.size(); }
  [[nodiscard]] bool good() const { return good_; }

 private:
  bool has(std::uint64_t size) {
    good_ = good_ && size <= bytes_.size();
    if (!good_) bytes_ = {};
    return good_;
  }

  std::string_view bytes_;
  bool good_ = true;
};

std::uint64_t length_at(std::string_view section, std::uint64_t offset) {
  if (offset >= section.size()) return 0;
  const std::string_view tail = section.substr(offset);
  return std::min(tail.find('\0'), tail.size());
}

struct Entries {
  std::uint64_t count = 0;
  std::uint64_t longest = 0;  // path
};

// Versions 2 to 4: strings up to an empty one; behind each of a file's there are three numbers.
Entries old_entries(LineBytes& header, bool files) {
  Entries entries;
  while (header.good()) {
    const std::uint64_t length = header.text();
    if (length == 0) break;
    ++entries.count;
    entries.longest = std::max(entries.longest, length);
    for (int i = 0; files && i < 3; ++i) header.leb();
  }
  return entries;
}

// One value of an entry of version 5: the length of a string, 0 for anything else.
std::uint64_t value_length(LineBytes& header, std::uint64_t form, std::size_t offset_size,
                           const LineSections& sections) {
  switch (form) {
    case DW_FORM_string:
      return header.text();
    case DW_FORM_line_strp:
      return length_at(sections.line_strings, header.number(offset_size));
    case DW_FORM_strp:
      return length_at(sections.strings, header.number(offset_size));
    case DW_FORM_udata:
      return header.leb(), 0;
    case DW_FORM_data1:
      return header.skip(1);
    case DW_FORM_data2:
      return header.skip(2);
    case DW_FORM_data4:
      return header.skip(4);
    case DW_FORM_data8:
      return header.skip(8);
    case DW_FORM_data16:
      return header.skip(16);
    case DW_FORM_block:
      return header.skip(header.leb());
    default:
      return header.skip(UINT64_MAX);  // not one of those that the standard allows here
  }
}

Entries new_entries(LineBytes& header, std::size_t offset_size, const LineSections& sections) {
  std::vector<std::uint64_t> forms(header.number(1));
  for (std::uint64_t& form : forms) {
    header.leb();  // what it says
    form = header.leb();
  }
  Entries entries;
  const std::uint64_t count = header.leb();
  if (forms.empty() && count != 0) header.skip(UINT64_MAX);
  for (; entries.count < count && header.good(); ++entries.count)
    for (const std::uint64_t form : forms)
      entries.longest =
          std::max(entries.longest, value_length(header, form, offset_size, sections));
  return entries;
}

// a * b + c, or as much as there is.
std::uint64_t bounded(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  std::uint64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result) || __builtin_add_overflow(result, c, &result))
    return UINT64_MAX;
  return result;
}

}  // namespace

std::optional<LineTableSize> line_table_size(const LineSections& sections, std::uint64_t offset,
                                             std::uint64_t directory) {
  if (offset >= sections.lines.size()) return std::nullopt;
  LineBytes table(sections.lines.substr(offset));
  std::size_t offset_size = 4;
  std::uint64_t length = table.number(4);
  if (length == UINT32_MAX) {
    offset_size = 8;
    length = table.number(8);
  }
  table.cut(length);
  const std::uint64_t version = table.number(2);
  if (version < 2 || version > 5) return std::nullopt;
  if (version == 5) table.skip(2);  // sizes of addresses and of segment selectors
  const std::uint64_t header_length = table.number(offset_size);
  if (!table.good() || header_length > table.left()) return std::nullopt;
  const std::uint64_t rows = table.left() - header_length;
  LineBytes header = table;
  header.cut(header_length);
  // Lengths and flags, then the operands of each opcode.
  header.skip(version >= 4 ? 5 : 4);
  const std::uint64_t opcodes = header.number(1);
  if (opcodes == 0) return std::nullopt;
  header.skip(opcodes - 1);
  const Entries folders =
      version == 5 ? new_entries(header, offset_size, sections) : old_entries(header, false);
  const Entries files =
      version == 5 ? new_entries(header, offset_size, sections) : old_entries(header, true);
  if (!header.good()) return std::nullopt;
  const std::uint64_t path = folders.longest + files.longest + directory + kFile;
  // The program may define more files, each by 7 bytes or more, with names of its own.
  const std::uint64_t paths = bounded(files.count + 1 + rows / 7, path, rows);
  return LineTableSize{rows, bounded(rows, kRow, paths)};
}

}  // namespace cowtrace::process
