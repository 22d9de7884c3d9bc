// SPDX-License-Identifier: Apache-2.0
#include "process/store_size.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <random>
#include <vector>

namespace cowtrace::process {
namespace {

std::optional<std::uint32_t> size_of(std::initializer_list<int> code) {
  std::vector<std::byte> bytes;
  for (const int byte : code) bytes.push_back(static_cast<std::byte>(byte));
  return store_size(bytes);
}

TEST(StoreSize, IsTheWidthOfTheMemoryOperand) {
  EXPECT_EQ(size_of({0xc6, 0x00, 0x01}), 1u);              // mov byte [rax], 1
  EXPECT_EQ(size_of({0x66, 0x89, 0x08}), 2u);              // mov [rax], cx
  EXPECT_EQ(size_of({0x89, 0x08}), 4u);                    // mov [rax], ecx
  EXPECT_EQ(size_of({0x48, 0xff, 0x00}), 8u);              // inc qword [rax]
  EXPECT_EQ(size_of({0xf0, 0x48, 0x0f, 0xb1, 0x0f}), 8u);  // lock cmpxchg [rdi], rcx
  EXPECT_EQ(size_of({0x0f, 0x29, 0x07}), 16u);             // movaps [rdi], xmm0
  EXPECT_EQ(size_of({0xc5, 0xfc, 0x29, 0x07}), 32u);       // vmovaps [rdi], ymm0
  EXPECT_EQ(size_of({0x50}), 8u);                          // push rax
  EXPECT_EQ(size_of({0xe8, 0x00, 0x00, 0x00, 0x00}), 8u);  // call
}

TEST(StoreSize, OfAStringInstructionIsOneElement) {
  EXPECT_EQ(size_of({0xf3, 0xa4}), 1u);        // rep movsb
  EXPECT_EQ(size_of({0xf3, 0x48, 0xab}), 8u);  // rep stosq
}

TEST(StoreSize, IsUnknownWithoutAStore) {
  EXPECT_EQ(size_of({0x48, 0x8b, 0x00}), std::nullopt);  // mov rax, [rax]
  EXPECT_EQ(size_of({0x48, 0x8d, 0x00}), std::nullopt);  // lea rax, [rax]
  EXPECT_EQ(size_of({0x90}), std::nullopt);              // nop
}

TEST(StoreSize, OfTruncatedOrRandomBytesNeverCrashes) {
  EXPECT_EQ(size_of({}), std::nullopt);
  EXPECT_EQ(size_of({0x48}), std::nullopt);
  std::mt19937 random(3);
  std::size_t stores = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::vector<std::byte> bytes(random() % (kLongestInstruction + 1));
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    const auto size = store_size(bytes);
    stores += size.has_value();
    EXPECT_LE(size.value_or(0), 4096u);
  }
  EXPECT_GT(stores, 0u);
}

}  // namespace
}  // namespace cowtrace::process
