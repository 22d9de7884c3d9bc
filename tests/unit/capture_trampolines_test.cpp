// SPDX-License-Identifier: Apache-2.0
#include "capture/trampolines.h"

#include <gtest/gtest.h>
#include <linux/btf.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

namespace cowtrace::capture {
namespace {

using Bytes = std::vector<char>;

// At most `most` bytes at a time, as a file may give them.
std::optional<std::uint32_t> find(const Bytes& data, std::size_t most) {
  std::size_t at = 0;
  return first_function([&](std::span<std::byte> to) {
    const std::size_t now = std::min({to.size(), most, data.size() - at});
    if (now > 0) std::memcpy(to.data(), data.data() + at, now);
    at += now;
    return now;
  });
}

template <typename Record>
void append(Bytes& to, const Record& record) {
  const auto* bytes = reinterpret_cast<const char*>(&record);
  to.insert(to.end(), bytes, bytes + sizeof(record));
}

btf_type type(std::uint32_t kind, std::uint32_t members = 0) {
  btf_type result{};
  result.info = kind << 24 | members;
  return result;
}

Bytes with_header(const Bytes& types, std::uint32_t type_off = 0) {
  btf_header header{};
  header.magic = BTF_MAGIC;
  header.version = 1;
  header.hdr_len = sizeof(header);
  header.type_off = type_off;
  header.type_len = static_cast<std::uint32_t>(types.size());
  Bytes data;
  append(data, header);
  data.insert(data.end(), type_off, 0);
  data.insert(data.end(), types.begin(), types.end());
  return data;
}

// A number, a struct of two, an enum of three, a prototype, then the function.
Bytes some_types() {
  Bytes types;
  append(types, type(BTF_KIND_INT));
  append(types, std::uint32_t{32});
  append(types, type(BTF_KIND_STRUCT, 2));
  for (int i = 0; i < 2; ++i) append(types, btf_member{});
  append(types, type(BTF_KIND_ENUM, 3));
  for (int i = 0; i < 3; ++i) append(types, btf_enum{});
  append(types, type(BTF_KIND_FUNC_PROTO, 1));
  append(types, btf_param{});
  append(types, type(BTF_KIND_FUNC));
  append(types, type(BTF_KIND_FUNC));
  return types;
}

TEST(Trampolines, TheFirstFunctionIsFoundInAnyPieces) {
  for (const std::uint32_t offset : {0u, 24u, 10'000u})
    for (const std::size_t most : {1u, 7u, 1'000'000u})
      EXPECT_EQ(find(with_header(some_types(), offset), most), 5u);
}

TEST(Trampolines, WhatIsNoBtfHasNone) {
  const Bytes whole = with_header(some_types());
  const std::size_t before_function = whole.size() - 2 * sizeof(btf_type);
  for (std::size_t size = 0; size < before_function + sizeof(btf_type); ++size)
    EXPECT_EQ(find(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)), 100),
              std::nullopt)
        << size;
  Bytes other = whole;
  other[0] ^= 1;
  EXPECT_EQ(find(other, 100), std::nullopt);
  Bytes unknown_kind;
  append(unknown_kind, type(31));
  append(unknown_kind, type(BTF_KIND_FUNC));
  EXPECT_EQ(find(with_header(unknown_kind), 100), std::nullopt);
  Bytes too_many;
  append(too_many, type(BTF_KIND_STRUCT, 0xffff));
  append(too_many, type(BTF_KIND_FUNC));
  EXPECT_EQ(find(with_header(too_many), 100), std::nullopt);
}

TEST(Trampolines, RandomBytesAreBounded) {
  std::mt19937 random(20261123);
  const Bytes whole = with_header(some_types());
  for (int round = 0; round < 20'000; ++round) {
    Bytes data = whole;
    for (unsigned change = random() % 4 + 1; change > 0; --change)
      data[random() % data.size()] = static_cast<char>(random());
    data.resize(random() % (data.size() + 1));
    EXPECT_LE(find(data, random() % 64 + 1).value_or(0), data.size() / sizeof(btf_type));
  }
}

// The kernel's own: what is found there is a function.
TEST(Trampolines, TheKernelHasOne) {
  std::ifstream file("/sys/kernel/btf/vmlinux", std::ios::binary);
  if (!file) GTEST_SKIP() << "this kernel describes no types";
  const Bytes data{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const auto found = find(data, 1 << 20);
  ASSERT_TRUE(found);
  EXPECT_GT(*found, 1u);
}

}  // namespace
}  // namespace cowtrace::capture
