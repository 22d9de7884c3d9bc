// SPDX-License-Identifier: Apache-2.0
#include "python/repr.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "python/text.h"

namespace cowtrace::python {
namespace {

constexpr std::size_t kLongestKey = 200;
constexpr std::uint64_t kMostDigits = 8;  // of 30 bits
constexpr std::uint64_t kMostShown = 8;
constexpr int kDeepestShown = 3;

constexpr std::array<std::string_view, 35> kKeywords = {
    "False", "None",     "True",  "and",    "as",   "assert", "async",  "await",    "break",
    "class", "continue", "def",   "del",    "elif", "else",   "except", "finally",  "for",
    "from",  "global",   "if",    "import", "in",   "is",     "lambda", "nonlocal", "not",
    "or",    "pass",     "raise", "return", "try",  "while",  "with",   "yield"};

std::string quoted(std::string_view text, bool bytes) {
  const char quote =
      text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos ? '"'
                                                                                            : '\'';
  std::string out = bytes ? "b" : "";
  out.push_back(quote);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == quote || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f || (bytes && byte >= 0x80)) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out.push_back(c);
    }
  }
  out.push_back(quote);
  return out;
}

// Digits of 30 bits, least significant first; the size is negative for negative numbers.
std::optional<std::string> integer_at(const TypeTable& types, std::uint64_t object) {
  const image::MemoryImage& image = types.image();
  const auto& at = types.layout().integer;
  std::uint64_t digits = 0;
  bool negative = false;
  if (at.tag != kAbsent) {
    // lv_tag: number of digits in the high bits; sign 0 positive, 1 zero, 2 negative
    // (Include/internal/pycore_long.h, 3.12).
    const std::uint64_t tag = image.word(object + at.tag);
    digits = tag >> 3;
    negative = (tag & 3) == 2;
    if ((tag & 3) == 1) digits = 0;
  } else {
    const std::uint64_t size = image.word(object + types.layout().object.var_size);
    negative = static_cast<std::int64_t>(size) < 0;
    digits = negative ? 0 - size : size;
  }
  if (digits > kMostDigits) return std::nullopt;
  // To decimal, nine digits at a time.
  std::array<std::uint32_t, kMostDigits> value{};
  for (std::uint64_t i = 0; i < digits; ++i)
    value[i] = image.load<std::uint32_t>(object + at.digits + i * 4);
  std::string text;
  for (;;) {
    std::uint64_t rest = 0;
    bool zero = true;
    for (std::size_t i = digits; i-- > 0;) {
      const std::uint64_t with = rest << 30 | value[i];
      value[i] = static_cast<std::uint32_t>(with / 10);
      rest = with % 10;
      zero = zero && value[i] == 0;
    }
    text.push_back(static_cast<char>('0' + rest));
    if (zero) break;
  }
  if (negative) text.push_back('-');
  std::reverse(text.begin(), text.end());
  return text;
}

std::optional<std::string> repr_within(const TypeTable& types, std::uint64_t object, int depth);

std::optional<std::string> tuple_at(const TypeTable& types, std::uint64_t object, int depth) {
  const image::MemoryImage& image = types.image();
  const std::uint64_t count = image.word(object + types.layout().object.var_size);
  if (count > kMostShown || depth >= kDeepestShown) return std::nullopt;
  constexpr std::size_t kLongestShown = 1000;
  std::string text = "(";
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto item =
        repr_within(types, image.word(object + types.layout().tuple.items + i * 8), depth + 1);
    if (!item || text.size() + item->size() > kLongestShown) return std::nullopt;
    text += *item;
    if (i + 1 < count) text += ", ";
  }
  return text + (count == 1 ? ",)" : ")");
}

std::optional<std::string> repr_within(const TypeTable& types, std::uint64_t object, int depth) {
  const Type* type = types.type_of(object);
  if (type == nullptr || (type->heap() && type->kind != Kind::Text)) return std::nullopt;
  switch (type->kind) {
    case Kind::Text:
      if (type->heap()) return std::nullopt;
      if (const auto text = text_at(types, object, kLongestKey)) return repr_of(*text);
      return std::nullopt;
    case Kind::Integer: {
      auto value = integer_at(types, object);
      if (value && type->name == "bool") return *value == "0" ? "False" : "True";
      return type->name == "int" ? value : std::nullopt;
    }
    case Kind::Bytes: {
      const std::uint64_t size = types.image().word(object + types.layout().object.var_size);
      if (size > kLongestKey) return std::nullopt;
      const auto bytes = types.image().bytes(object + types.layout().bytes.data, size);
      if (!bytes) return std::nullopt;
      return quoted(*bytes, true);
    }
    case Kind::Tuple:
      return type->name == "tuple" ? tuple_at(types, object, depth) : std::nullopt;
    case Kind::None:
      return "None";
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<std::string> text_at(const TypeTable& types, std::uint64_t object,
                                   std::size_t limit) {
  const Type* type = types.type_of(object);
  if (type == nullptr || type->kind != Kind::Text) return std::nullopt;
  // Reading an image changes nothing in it.
  auto text =
      read_text(const_cast<image::MemoryImage&>(types.image()), types.layout(), object, limit);
  if (!text || text->cut) return std::nullopt;
  return std::move(text->utf8);
}

std::optional<std::string> repr_at(const TypeTable& types, std::uint64_t object) {
  return repr_within(types, object, 0);
}

std::string repr_of(std::string_view text) {
  return quoted(text, false);
}
std::string repr_of_bytes(std::string_view bytes) {
  return quoted(bytes, true);
}

bool is_identifier(std::string_view text) {
  if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
  return plain && std::find(kKeywords.begin(), kKeywords.end(), text) == kKeywords.end();
}

}  // namespace cowtrace::python
