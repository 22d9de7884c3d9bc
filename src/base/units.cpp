// SPDX-License-Identifier: Apache-2.0
#include "base/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <utility>

namespace cowtrace {

std::string human_bytes(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  static constexpr std::array<const char*, 6> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  // 1023.95 would round to "1024.0".
  while (value >= 1023.95 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string human_duration(std::uint64_t nanoseconds) {
  const auto value = static_cast<double>(nanoseconds);
  if (nanoseconds < 1000) return fmt::format("{} ns", nanoseconds);
  if (value < 999'950) return fmt::format("{:.1f} us", value / 1e3);
  if (value < 999'950'000) return fmt::format("{:.1f} ms", value / 1e6);
  return fmt::format("{:.2f} s", value / 1e9);
}

std::string human_count(std::uint64_t count) {
  const std::string digits = fmt::format("{}", count);
  std::string grouped;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) grouped += ',';
    grouped += digits[i];
  }
  return grouped;
}

std::string hex(std::uint64_t address) {
  return fmt::format("{:#x}", address);
}

namespace {

// Splits "64KiB" into 64 and "kib"; the number is decimal without sign.
Result<std::pair<std::uint64_t, std::string>> split_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{})
    return fail(fmt::format("'{}' is not a number with a unit", printable(text)));
  std::string unit;
  for (const char* at = end; at != text.data() + text.size(); ++at)
    unit += static_cast<char>(std::tolower(static_cast<unsigned char>(*at)));
  return std::pair{number, unit};
}

Result<std::uint64_t> scaled(std::uint64_t number, std::uint64_t factor, std::string_view text) {
  std::uint64_t product = 0;
  if (__builtin_mul_overflow(number, factor, &product))
    return fail(fmt::format("'{}' is too large", printable(text)));
  return product;
}

}  // namespace

Result<std::uint64_t> parse_bytes(std::string_view text) {
  auto parts = split_number(text);
  if (!parts) return tl::unexpected(parts.error());
  static constexpr std::string_view kPrefixes = "kmgt";
  const auto& [number, unit] = *parts;
  if (unit.empty() || unit == "b") return number;
  const std::size_t power = kPrefixes.find(unit[0]);
  const std::string_view rest = std::string_view(unit).substr(1);
  if (power == std::string_view::npos || !(rest.empty() || rest == "b" || rest == "ib"))
    return fail(fmt::format("'{}' is not a size", printable(text)), "",
                "use B, KiB, MiB, GiB or TiB");
  return scaled(number, std::uint64_t{1} << (10 * (power + 1)), text);
}

Result<std::uint64_t> parse_duration(std::string_view text) {
  auto parts = split_number(text);
  if (!parts) return tl::unexpected(parts.error());
  static constexpr std::array<std::pair<std::string_view, std::uint64_t>, 4> kUnits = {
      {{"ms", 1'000'000}, {"s", 1'000'000'000}, {"m", 60'000'000'000}, {"h", 3'600'000'000'000}}};
  for (const auto& [unit, factor] : kUnits)
    if (parts->second == unit) return scaled(parts->first, factor, text);
  return fail(fmt::format("'{}' is not a time", printable(text)), "",
              "use ms, s, m or h, as in 30s");
}

namespace {

struct Points {
  std::uint32_t first, last;
};
// Control characters, and what reorders text, ends a line or is not seen: marks of direction,
// widths of zero, separators of lines and paragraphs, the byte order mark and tags.
constexpr std::array kNotPrintable = {
    Points{0, 0x9f},        Points{0xad, 0xad},      Points{0x61c, 0x61c},   Points{0x180e, 0x180e},
    Points{0x200b, 0x200f}, Points{0x2028, 0x202e},  Points{0x2060, 0x206f}, Points{0xfeff, 0xfeff},
    Points{0xfff9, 0xfffb}, Points{0xe0000, 0xe007f}};

// Length of the valid UTF-8 sequence at the start of `text` that is none of kNotPrintable; 0 if
// there is none.
std::size_t printable_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead >= 0x20 && lead < 0x7f) return 1;
  const std::size_t size = lead >= 0xf0 && lead < 0xf5   ? 4
                           : lead >= 0xe0 && lead < 0xf0 ? 3
                           : lead >= 0xc2 && lead < 0xe0 ? 2
                                                         : 0;
  if (size == 0 || text.size() < size) return 0;
  std::uint32_t point = lead & (0xffU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    point = (point << 6) | (byte(i) & 0x3f);
  }
  static constexpr std::array<std::uint32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  if (point < kSmallest[size] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return 0;
  const bool is_not = std::any_of(kNotPrintable.begin(), kNotPrintable.end(), [&](Points range) {
    return point >= range.first && point <= range.last;
  });
  return is_not ? 0 : size;
}

}  // namespace

std::string printable(std::string_view untrusted) {
  const auto is_plain = [](char letter) { return letter >= 0x20 && letter < 0x7f; };
  const auto rest = std::find_if_not(untrusted.begin(), untrusted.end(), is_plain);
  std::string safe(untrusted.begin(), rest);
  untrusted.remove_prefix(safe.size());
  while (!untrusted.empty()) {
    const std::size_t size = printable_sequence(untrusted);
    if (size == 0) {
      safe += fmt::format("\\x{:02x}", static_cast<unsigned char>(untrusted[0]));
      untrusted.remove_prefix(1);
    } else {
      safe += untrusted.substr(0, size);
      untrusted.remove_prefix(size);
    }
  }
  return safe;
}

}  // namespace cowtrace
