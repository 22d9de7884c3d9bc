// SPDX-License-Identifier: Apache-2.0
#include "python/text.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

namespace cowtrace::python {
namespace {

// Where the characters of a str are, and how many bytes each has.
struct Characters {
  std::uint64_t address = 0;
  std::uint64_t length = 0;
  unsigned width = 1;
  bool ascii = false;
};

std::optional<Characters> find_characters(process::RemoteMemory& memory, const Layout& layout,
                                          std::uint64_t address) {
  const auto& str = layout.unicode;
  if (str.length == kAbsent || str.state == kAbsent) return std::nullopt;
  const auto length = memory.read_value<std::int64_t>(address + str.length);
  const auto state = memory.read_value<std::uint32_t>(address + str.state);
  // Py_ssize_t, and four bytes a character: more than this is no length.
  if (!length || !state || *length < 0 || *length > std::numeric_limits<std::int64_t>::max() / 4) {
    return std::nullopt;
  }
  Characters found{.length = static_cast<std::uint64_t>(*length),
                   .width = (*state >> str.kind_shift) & 7};
  // 0 was a str of wchar_t that nobody has looked into yet, to 3.11.
  if (found.width != 1 && found.width != 2 && found.width != 4) return std::nullopt;
  const bool compact = ((*state >> str.compact_shift) & 1) != 0;
  const bool ascii = ((*state >> str.ascii_shift) & 1) != 0;
  if (ascii && found.width != 1) return std::nullopt;
  found.ascii = ascii;
  if (!compact) {
    if (str.data == kAbsent) return std::nullopt;
    const auto data = memory.read_value<std::uint64_t>(address + str.data);
    if (!data || *data == 0) return std::nullopt;
    found.address = *data;
    return found;
  }
  const Offset header = ascii ? str.ascii_size : str.compact_size;
  if (header == kAbsent) return std::nullopt;
  found.address = address + header;
  return found;
}

std::uint32_t character_at(std::span<const std::byte> bytes, std::size_t index, unsigned width) {
  std::uint32_t character = 0;  // the traced machine is this one: little-endian
  std::memcpy(&character, bytes.data() + index * width, width);
  return character;
}

// At most four bytes.
std::size_t encode(std::uint32_t character, char (&out)[4]) {
  constexpr std::uint32_t kReplacement = 0xFFFD;
  if (character > 0x10FFFF || (character >= 0xD800 && character < 0xE000)) character = kReplacement;
  const auto tail = [character](unsigned shift) {
    return static_cast<char>(0x80 | ((character >> shift) & 0x3F));
  };
  if (character < 0x80) {
    out[0] = static_cast<char>(character);
    return 1;
  }
  if (character < 0x800) {
    out[0] = static_cast<char>(0xC0 | (character >> 6));
    out[1] = tail(0);
    return 2;
  }
  if (character < 0x10000) {
    out[0] = static_cast<char>(0xE0 | (character >> 12));
    out[1] = tail(6);
    out[2] = tail(0);
    return 3;
  }
  out[0] = static_cast<char>(0xF0 | (character >> 18));
  out[1] = tail(12);
  out[2] = tail(6);
  out[3] = tail(0);
  return 4;
}

}  // namespace

std::optional<Text> read_text(process::RemoteMemory& memory, const Layout& layout,
                              std::uint64_t address, std::size_t limit) {
  const auto found = find_characters(memory, layout, address);
  if (!found) return std::nullopt;
  // A character is at least one byte of UTF-8.
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(found->length, limit));
  Text text{.utf8 = {}, .cut = count < found->length};
  if (found->ascii) {
    text.utf8.resize(count);
    const auto out = std::as_writable_bytes(std::span(text.utf8));
    if (count != 0 && !memory.read_exact(found->address, out)) return std::nullopt;
    if (std::all_of(text.utf8.begin(), text.utf8.end(),
                    [](char c) { return static_cast<unsigned char>(c) < 0x80; }))
      return text;
    text.utf8.clear();
  }
  std::vector<std::byte> bytes(count * found->width);
  if (!bytes.empty() && !memory.read_exact(found->address, bytes)) return std::nullopt;
  for (std::size_t i = 0; i < count; ++i) {
    char encoded[4];
    const std::size_t size = encode(character_at(bytes, i, found->width), encoded);
    if (text.utf8.size() + size > limit) {
      text.cut = true;
      break;
    }
    text.utf8.append(encoded, size);
  }
  return text;
}

}  // namespace cowtrace::python
