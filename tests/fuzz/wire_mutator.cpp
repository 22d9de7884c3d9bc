// SPDX-License-Identifier: Apache-2.0
#include "wire_mutator.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cowtrace::fuzz {
namespace {

using Random = std::minstd_rand;

enum WireType : std::uint64_t { kVarint = 0, kFixed64 = 1, kLength = 2, kFixed32 = 5 };

struct Field {
  std::uint64_t number = 0, type = 0;
  std::uint64_t value = 0;  // of a varint
  std::string bytes;        // of everything else
};

std::optional<std::uint64_t> take_varint(std::string_view& from) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !from.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(from[0]);
    from.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

void put_varint(std::uint64_t value, std::string& to) {
  for (; value >= 0x80; value >>= 7) to += static_cast<char>(value | 0x80);
  to += static_cast<char>(value);
}

std::optional<std::string> take_bytes(std::string_view& from, std::uint64_t size) {
  if (size > from.size()) return std::nullopt;
  std::string bytes(from.substr(0, size));
  from.remove_prefix(size);
  return bytes;
}

std::optional<std::string> take_delimited(std::string_view& from) {
  const auto size = take_varint(from);
  return size ? take_bytes(from, *size) : std::nullopt;
}

void put_delimited(std::string_view bytes, std::string& to) {
  put_varint(bytes.size(), to);
  to += bytes;
}

// None: it is no message, or one of another program.
std::optional<std::vector<Field>> fields_of(std::string_view message) {
  constexpr std::uint64_t kLargestNumber = 40;
  std::vector<Field> fields;
  while (!message.empty()) {
    const auto tag = take_varint(message);
    if (!tag || *tag >> 3 == 0 || *tag >> 3 > kLargestNumber) return std::nullopt;
    Field& field = fields.emplace_back(Field{*tag >> 3, *tag & 7, 0, {}});
    std::optional<std::string> bytes = std::string();
    if (field.type == kVarint) {
      const auto value = take_varint(message);
      if (!value) return std::nullopt;
      field.value = *value;
    } else if (field.type == kLength) {
      bytes = take_delimited(message);
    } else if (field.type == kFixed64 || field.type == kFixed32) {
      bytes = take_bytes(message, field.type == kFixed64 ? 8 : 4);
    } else {
      return std::nullopt;
    }
    if (!bytes) return std::nullopt;
    field.bytes = std::move(*bytes);
  }
  return fields;
}

std::string message_of(const std::vector<Field>& fields) {
  std::string message;
  for (const Field& field : fields) {
    put_varint(field.number << 3 | field.type, message);
    if (field.type == kVarint)
      put_varint(field.value, message);
    else if (field.type == kLength)
      put_delimited(field.bytes, message);
    else
      message += field.bytes;
  }
  return message;
}

std::optional<std::vector<std::uint64_t>> numbers_of(std::string_view column) {
  std::vector<std::uint64_t> numbers;
  while (!column.empty()) {
    const auto number = take_varint(column);
    if (!number) return std::nullopt;
    numbers.push_back(*number);
  }
  return numbers;
}

std::string column_of(const std::vector<std::uint64_t>& numbers) {
  std::string column;
  for (const std::uint64_t number : numbers) put_varint(number, column);
  return column;
}

class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}

  std::size_t below(std::size_t end) { return random_() % end; }

  void change(std::string& bytes) {
    const std::size_t size = bytes.size();
    bytes.resize(size + 1 + below(64));
    bytes.resize(
        LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(bytes.data()), size, bytes.size()));
  }

  void change_message(std::string& message) {
    auto fields = fields_of(message);
    if (!fields || fields->empty()) return change(message);
    change_fields(*fields);
    message = message_of(*fields);
  }

 private:
  // Numbers at which something overflows, and the ones beside what there is.
  void change(std::uint64_t& number) {
    constexpr std::array<std::uint64_t, 14> kEnds = {
        0,        1,          2,          9,          0xfff,      1 << 12,        1 << 20,
        1U << 31, UINT32_MAX, 1ULL << 32, 1ULL << 62, 1ULL << 63, UINT64_MAX - 1, UINT64_MAX};
    switch (below(4)) {
      case 0:
        number = kEnds[below(kEnds.size())];
        break;
      case 1:
        number += below(2) == 0 ? 1 : UINT64_MAX;
        break;
      case 2:
        number ^= std::uint64_t{1} << below(64);
        break;
      default:
        number = below(64);
    }
  }

  void change_column(Field& field, std::vector<std::uint64_t> numbers) {
    std::uint64_t& one = numbers[below(numbers.size())];
    switch (below(6)) {
      case 0:
        one = numbers[below(numbers.size())];
        break;
      case 1:
        std::fill(numbers.begin(), numbers.end(), std::uint64_t{one});
        break;
      case 2:
        std::swap(one, numbers[below(numbers.size())]);
        break;
      default:
        change(one);
    }
    field.bytes = column_of(numbers);
  }

  void change(Field& field) {
    if (field.type == kVarint) return change(field.value);
    if (field.type != kLength || field.bytes.empty()) return change(field.bytes);
    const auto fields = fields_of(field.bytes);
    if (fields && below(4) != 0) return change_message(field.bytes);
    auto numbers = numbers_of(field.bytes);
    if (numbers && below(4) != 0) return change_column(field, std::move(*numbers));
    change(field.bytes);
  }

  // Columns belong together by their length: one row more or less, in all of the length of a chosen
  // one.
  void change_rows(std::vector<Field>& fields) {
    const auto length_of = [](const Field& field) -> std::size_t {
      const auto numbers = field.type == kLength ? numbers_of(field.bytes) : std::nullopt;
      return numbers ? numbers->size() : 0;
    };
    const std::size_t rows = length_of(fields[below(fields.size())]);
    if (rows == 0) return;
    const std::size_t at = below(rows), copies = std::array<std::size_t, 4>{0, 2, 2, 50}[below(4)];
    for (Field& field : fields) {
      if (field.type != kLength) continue;
      if (length_of(field) == rows) {
        auto numbers = *numbers_of(field.bytes);
        const std::uint64_t row = numbers[at];
        numbers.erase(numbers.begin() + static_cast<std::ptrdiff_t>(at));
        numbers.insert(numbers.begin() + static_cast<std::ptrdiff_t>(at), copies, row);
        field.bytes = column_of(numbers);
      } else if (field.bytes.size() == 8 * rows) {
        const std::string row = field.bytes.substr(8 * at, 8);
        std::string all;
        for (std::size_t i = 0; i < copies; ++i) all += row;
        field.bytes.replace(8 * at, 8, all);
      }
    }
  }

  void change_fields(std::vector<Field>& fields) {
    Field& one = fields[below(fields.size())];
    const Field other = fields[below(fields.size())];
    switch (below(12)) {
      case 0:
        fields.erase(fields.begin() + (&one - fields.data()));
        break;
      case 1:
        fields.insert(fields.begin() + static_cast<std::ptrdiff_t>(below(fields.size())), other);
        break;
      case 2:
        std::swap(one, fields[below(fields.size())]);
        break;
      case 3:
        if (one.type == other.type) one = {one.number, one.type, other.value, other.bytes};
        break;
      case 4:
        one.number = 1 + below(20);
        break;
      case 5:
        change_rows(fields);
        break;
      default:
        change(one);
    }
  }

  Random random_;
};

}  // namespace

std::size_t mutate_messages(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  Mutator mutator(seed);
  std::string_view left(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> blocks;
  while (!left.empty()) {
    auto block = take_delimited(left);
    if (!block) break;
    blocks.push_back(std::move(*block));
  }
  if (blocks.empty() || mutator.below(8) == 0) return LLVMFuzzerMutate(data, size, most);
  const std::size_t at = mutator.below(blocks.size());
  switch (mutator.below(16)) {
    case 0:
      blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(at));
      break;
    case 1:
      blocks.push_back(std::string(blocks[at]));
      break;
    case 2:
      std::swap(blocks[at], blocks[mutator.below(blocks.size())]);
      break;
    default:
      for (std::size_t times = 1 + mutator.below(3); times != 0; --times)
        mutator.change_message(blocks[at]);
  }
  std::string messages;
  for (const std::string& block : blocks) put_delimited(block, messages);
  messages += left;
  if (messages.empty() || messages.size() > most) return LLVMFuzzerMutate(data, size, most);
  std::memcpy(data, messages.data(), messages.size());
  return messages.size();
}

}  // namespace cowtrace::fuzz
