// SPDX-License-Identifier: Apache-2.0
#include "capture/stack_copy.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "abi/unwind.h"

namespace cowtrace::capture {
namespace {

std::unique_ptr<cowtrace_stack_copy> raw_copy() {
  auto raw = std::make_unique<cowtrace_stack_copy>();
  raw->stack.header.size = sizeof(cowtrace_stack_copy);
  raw->stack.header.kind = COWTRACE_EVENT_STACK_COPY;
  raw->stack.header.pid = 7;
  raw->stack.hash = 0x77;
  raw->stack.space = 3;
  raw->stack.depth = 2;
  raw->stack.ip[0] = 0x1000;
  raw->stack.ip[1] = 0x2000;
  raw->scope = 0x300000009;
  raw->ip = 0x2000;
  raw->sp = 0x7ffe00000ff8;
  raw->bp = 0x5;
  raw->bx = 0x6;
  raw->file_start = 0x100;
  raw->file_size = 0x200;
  raw->start_code = 0x400000;
  raw->start_stack = 0x7ffe00002000;
  raw->limit = 16;
  raw->start = 0xff8;
  raw->size = 4096 + 8;
  const std::uint64_t words[] = {0xaaaa, 0xbbbb};
  std::memcpy(raw->bytes + 0xff8, words, sizeof(words));
  return raw;
}

Result<StackCopy> decode_raw(const cowtrace_stack_copy& raw,
                             std::size_t size = sizeof(cowtrace_stack_copy)) {
  // Exactly as long as it says: a sanitizer sees any read past the end.
  std::vector<std::byte> bytes(size);
  std::memcpy(bytes.data(), &raw, size);
  return decode_stack_copy(bytes);
}

TEST(StackCopies, KeepEveryField) {
  const auto copy = decode_raw(*raw_copy());
  ASSERT_TRUE(copy) << copy.error().message();
  EXPECT_EQ(copy->known.hash, model::StackHash(0x77));
  EXPECT_EQ(copy->known.space, model::SpaceId(3));
  EXPECT_EQ(copy->known.frames, (std::vector<std::uint64_t>{0x1000, 0x2000}));
  EXPECT_EQ(copy->registers.ip, 0x2000U);
  EXPECT_EQ(copy->registers.sp, 0x7ffe00000ff8U);
  EXPECT_EQ(copy->registers.bp, 5U);
  EXPECT_EQ(copy->registers.bx, 6U);
  EXPECT_FALSE(copy->registers.exact);
  EXPECT_EQ(copy->scope, 0x300000009U);
  EXPECT_EQ(copy->pid, 7);
  EXPECT_EQ(copy->start_code, 0x400000U);
  EXPECT_EQ(copy->start_stack, 0x7ffe00002000U);
  EXPECT_EQ(copy->file_start, 0x100U);
  EXPECT_EQ(copy->file_size, 0x200U);
  EXPECT_EQ(copy->limit, 16);
}

TEST(StackCopies, HaveTheMemoryFromTheStackPointerOn) {
  const auto copy = decode_raw(*raw_copy());
  ASSERT_TRUE(copy);
  EXPECT_EQ(copy->memory.size(), 2 * 4096U - 0xff8);
  EXPECT_EQ(copy->word(0x7ffe00000ff8), 0xaaaaU);
  EXPECT_EQ(copy->word(0x7ffe00001000), 0xbbbbU);
  EXPECT_EQ(copy->word(0x7ffe00001ff8), 0U);
  for (const std::uint64_t outside :
       {0x7ffe00000ff0ULL, 0x7ffe00001ff9ULL, 0x7ffe00002000ULL, 0ULL, ~0ULL})
    EXPECT_FALSE(copy->word(outside)) << outside;
}

// All of the stack of a program's first thread.
TEST(StackCopies, MayBeShort) {
  auto raw = raw_copy();
  std::memcpy(raw->bytes, raw->bytes + 0xff8, 16);
  raw->start = 0;
  raw->size = 24;
  const auto copy = decode_raw(*raw, COWTRACE_SHORT_COPY_BYTES);
  ASSERT_TRUE(copy) << copy.error().message();
  EXPECT_EQ(copy->memory.size(), 24U);
  EXPECT_EQ(copy->word(raw->sp + 8), 0xbbbbU);
  EXPECT_FALSE(copy->word(raw->sp + 24));
  EXPECT_FALSE(decode_raw(*raw, COWTRACE_SHORT_COPY_BYTES - 1));
  raw->size = COWTRACE_COPY_SHORT;
  EXPECT_TRUE(decode_raw(*raw, COWTRACE_SHORT_COPY_BYTES));
  raw->size = COWTRACE_COPY_SHORT + 1;
  EXPECT_FALSE(decode_raw(*raw, COWTRACE_SHORT_COPY_BYTES));
}

TEST(StackCopies, ThatCannotBeAreRefused) {
  EXPECT_FALSE(decode_raw(*raw_copy(), sizeof(cowtrace_stack_copy) -
                                           sizeof(cowtrace_stack_copy::bytes) + 0xff8 + 4096 + 7));
  auto raw = raw_copy();
  raw->stack.header.kind = COWTRACE_EVENT_STACK;
  EXPECT_FALSE(decode_raw(*raw));
  raw = raw_copy();
  raw->size = COWTRACE_COPY_PAGES * 4096 - 0xff8 + 1;
  EXPECT_FALSE(decode_raw(*raw));
  raw = raw_copy();
  raw->limit = COWTRACE_MAX_FRAMES + 1;
  EXPECT_FALSE(decode_raw(*raw));
  raw = raw_copy();
  raw->stack.depth = 0;
  raw->stack.python_depth = 1;
  EXPECT_FALSE(decode_raw(*raw));
  raw = raw_copy();
  raw->stack.depth = COWTRACE_MAX_FRAMES + 1;
  EXPECT_FALSE(decode_raw(*raw));
  raw = raw_copy();
  raw->size = 0;
  const auto copy = decode_raw(*raw);
  ASSERT_TRUE(copy);
  EXPECT_FALSE(copy->word(raw->sp));
}

TEST(StackCopies, OfNoiseNeverCrash) {
  std::mt19937 random(1);
  std::vector<std::byte> bytes(sizeof(cowtrace_stack_copy));
  for (int i = 0; i < 300; ++i) {
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() % 4 == 0 ? random() : 0);
    static_cast<void>(decode_stack_copy(bytes));
  }
}

}  // namespace
}  // namespace cowtrace::capture
